"""Several styles, regions, strength and padding in whole runs."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from nst_tf import (
    ExtractorSettings,
    InputError,
    LossSettings,
    Objective,
    OptimizeSettings,
    build_extractor,
    measure_loss,
    optimize_image,
)
from nst_tf.imaging.guides import everywhere, from_maps, from_masks
from nst_tf.imaging.resize import resize
from nst_tf.loss.conventions import layer_weights
from nst_tf.painting.schedule import plan_passes
from tests.helpers import SMALL, Steps, changed, scene

CONTENT, STYLE, OTHER = scene(40, 56, seed=1), scene(48, 48, seed=7), scene(40, 60)
MASK = np.clip((np.arange(56, dtype="float32") - 24) / 8, 0, 1)
MASK = np.broadcast_to(MASK, (40, 56)).copy()


def lossy(**values):
    return changed(loss=dataclasses.replace(SMALL.loss, **values))


@pytest.fixture
def _vgg(random_vgg):
    pass


pytestmark = pytest.mark.usefixtures("_vgg")


def test_several_styles_are_blended_by_their_grams():
    shares = (1.0, 3.0)
    regions = everywhere(2, shares)
    quiet = dataclasses.replace(SMALL.loss, content_weight=0.0, tv_weight=0.0)
    settings = changed(loss=quiet, style_shares=shares)
    extractor = build_extractor(quiet.layers)

    def grams(image):
        maps = extractor(image[None])
        found = []
        for name in quiet.style_layers:
            flat = ops.convert_to_numpy(maps[name])[0].astype("float64")
            flat = flat.reshape(-1, flat.shape[-1])
            found.append(flat.T @ flat / len(flat))
        return found

    # Neither painting is enlarged to 56 pixels; the wider one becomes 56x37.
    mine, one, other = grams(CONTENT), grams(STYLE), grams(resize(OTHER, 56, 37))
    expected = sum(
        ((g - 0.25 * a - 0.75 * b) ** 2).mean() / len(g) ** 2
        for g, a, b in zip(mine, one, other, strict=True)
    )
    got = measure_loss(CONTENT, CONTENT, [STYLE, OTHER], settings, regions=regions)
    assert got.style == pytest.approx(quiet.style_weight * expected, rel=1e-3)
    # The shares of the settings are what holds without regions.
    plain = measure_loss(CONTENT, CONTENT, [STYLE, OTHER], settings)
    assert plain == got


def test_shares_of_another_number_are_refused():
    with pytest.raises(InputError, match="2 paintings and 3 shares"):
        optimize_image(CONTENT, [STYLE, OTHER], changed(style_shares=(1.0, 2.0, 3.0)))


def test_each_painting_has_a_size_of_its_own():
    settings = OptimizeSettings(
        size=200, scales=1, steps=1, schedule="whole", style_scale=0.5
    )
    (stage,) = plan_passes((400, 300), [(800, 400), (80, 60), (300, 600)], settings)
    assert [tuple(size) for size in stage.styles] == [(100, 50), (80, 60), (50, 100)]


def test_what_no_mask_covers_stays_to_the_bit():
    regions = from_masks((56, 40), [(48, 48)], [MASK])
    settings = changed(steps=20)
    result = optimize_image(CONTENT, STYLE, settings, regions=regions)
    outside = MASK == 0
    np.testing.assert_array_equal(result.pixels[outside], CONTENT[outside])
    assert np.abs(result.pixels - CONTENT)[MASK == 1].mean() > 5 / 255


def test_a_region_of_strength_0_stays_through_all_scales():
    content = scene(128, 160, seed=1)
    ramp = (np.mgrid[0:128, 0:160][1] > 80).astype("float32")
    regions = from_masks(
        (160, 128), [(48, 48)] * 2, [ramp, 1 - ramp], shares=(1.0, 0.0)
    )
    settings = changed(
        size=160, scales=2, steps=5, coarse_steps=5, schedule="shallow-first=3"
    )
    result = optimize_image(content, [STYLE, STYLE], settings, regions=regions)
    np.testing.assert_array_equal(result.pixels[:, :79], content[:, :79])
    assert np.abs(result.pixels - content)[:, 84:].mean() > 2 / 255


def test_a_masks_weights_at_a_layer_are_means_of_its_pixels():
    loss = dataclasses.replace(SMALL.loss, style_layers=("block3_conv1",))
    objective = Objective(build_extractor(loss.layers), loss)
    plane = np.random.default_rng(0).random((1, 43, 57, 2)).astype("float32")
    (got,) = objective.layer_masks(plane).values()
    expected = plane[:, :40, :56].reshape(1, 10, 4, 14, 4, 2).mean((2, 4))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    maps = objective.features(ops.convert_to_tensor(scene(43, 57)[None]))
    assert got.shape[1:3] == maps["block3_conv1"].shape[1:3]


def test_regions_are_compared_each_with_its_own_style():
    regions = from_masks((56, 40), [(48, 48), (60, 40)], [MASK, 1 - MASK])
    loss = dataclasses.replace(
        SMALL.loss, content_layers=(), style_layers=("block1_conv1",), tv_weight=0.0
    )
    got = measure_loss(
        CONTENT, CONTENT, [STYLE, OTHER], changed(loss=loss), regions=regions
    )
    extractor = build_extractor(loss.style_layers)

    def values(image):
        maps = extractor(image[None])["block1_conv1"]
        return ops.convert_to_numpy(maps)[0].astype("float64")

    expected = 0.0
    paintings = (STYLE, resize(OTHER, 56, 37))
    for mask, painting in zip((MASK, 1 - MASK), paintings, strict=True):
        mine, style = values(CONTENT), values(painting)
        gram = np.einsum("hw,hwc,hwd->cd", mask / mask.sum(), mine, mine)
        target = np.einsum("hwc,hwd->cd", style, style) / style[..., 0].size
        gap = ((gram - target) ** 2).mean() / len(gram) ** 2
        expected += mask.mean() * gap
    assert got.style == pytest.approx(loss.style_weight * expected, rel=2e-3)


def test_a_doodle_takes_each_colours_style():
    sky, land = (0.0, 0.0, 1.0), (1.0, 1.0, 0.0)
    doodle = np.empty((40, 56, 3), "float32")
    doodle[:20], doodle[20:] = land, sky
    # A painting that is red where its map is sky and green where it is land.
    painting = 0.1 * scene(48, 48, seed=7)
    painting[:24, :, 0] += 0.8
    painting[24:, :, 1] += 0.8
    style_map = np.empty((48, 48, 3), "float32")
    style_map[:24], style_map[24:] = sky, land
    regions = from_maps((56, 40), [(48, 48)], doodle, [style_map])
    loss = dataclasses.replace(SMALL.loss, content_weight=0.0)
    settings = changed(init="noise", steps=40, loss=loss)
    pixels = optimize_image(doodle, painting, settings, regions=regions).pixels
    assert (pixels[:16, :, 1] - pixels[:16, :, 0]).mean() > 0.2
    assert (pixels[24:, :, 0] - pixels[24:, :, 1]).mean() > 0.2


def test_strength_0_is_the_photograph_and_1_has_no_content_term():
    zero = optimize_image(CONTENT, STYLE, lossy(strength=0.0, tv_weight=0.0))
    np.testing.assert_allclose(zero.pixels, CONTENT, atol=1 / 255)
    one = optimize_image(CONTENT, STYLE, lossy(strength=1.0))
    assert one.loss.content == 0


def test_layers_weigh_in_a_geometric_series_of_the_same_sum():
    plain = LossSettings(convention="relative")
    got = layer_weights(dataclasses.replace(plain, style_layer_ratio=0.5))
    assert sum(got) == pytest.approx(sum(layer_weights(plain)))
    np.testing.assert_allclose(np.divide(got[1:], got[:-1]), 0.5)


@pytest.mark.parametrize(
    "bad",
    [
        {"strength": 1.5},
        {"strength": -0.1},
        {"style_layer_ratio": 0.0},
    ],
)
def test_impossible_losses_are_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        LossSettings(**bad)


@pytest.mark.parametrize(
    "bad", [{"style_scale": 0.0}, {"style_shares": (-1.0,)}, {"style_shares": (0.0,)}]
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        OptimizeSettings(**bad)


@pytest.mark.parametrize(
    ("padding", "mode"), [("reflect", "reflect"), ("replicate", "edge")]
)
def test_padding_is_numpys(padding, mode):
    image = scene(20, 28, seed=4)
    layers = ("block1_conv1", "block1_conv2")
    settings = ExtractorSettings(padding=padding)
    maps = build_extractor(layers, settings=settings)(image[None])
    # The inner part of a zero-padded one that saw the padded input.
    first = ops.convert_to_numpy(maps["block1_conv1"])[0]
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode=mode)
    plain = build_extractor(layers)
    expected = ops.convert_to_numpy(plain(padded[None])["block1_conv1"])[0, 2:-2, 2:-2]
    np.testing.assert_allclose(first, expected, rtol=1e-3, atol=1e-3)
    second = plain.get_layer("block1_conv2")
    wide = np.pad(first, ((2, 2), (2, 2), (0, 0)), mode=mode)
    expected = ops.convert_to_numpy(second(wide[None]))[0, 2:-2, 2:-2]
    got = ops.convert_to_numpy(maps["block1_conv2"])[0]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_reflection_asks_for_two_positions():
    with pytest.raises(InputError, match="each side needs 32"):
        plan_passes(
            (24, 24),
            [(48, 48)],
            changed(size=24, extractor=ExtractorSettings(padding="reflect")),
        )


@pytest.mark.parametrize("style_loss", ["mean-variance", "wasserstein"])
def test_other_losses_fall_in_half_precision_and_resume_with_equal_bits(
    tmp_path, style_loss
):
    settings = dataclasses.replace(
        lossy(style_loss=style_loss, strength=0.6), precision="bfloat16", steps=8
    )
    regions = from_masks((56, 40), [(48, 48)], [MASK])
    steps = Steps()
    whole_run = optimize_image(
        CONTENT, STYLE, settings, regions=regions, observer=steps
    )
    assert steps[-1].loss.total < 0.9 * steps[0].loss.total
    path = tmp_path / "state.npz"
    run = {"regions": regions, "checkpoint": path}
    optimize_image(CONTENT, STYLE, settings, observer=Steps(3), **run)
    second = optimize_image(CONTENT, STYLE, settings, resume=True, **run)
    np.testing.assert_array_equal(second.pixels, whole_run.pixels)
    other = from_masks((56, 40), [(48, 48)], [1 - MASK])
    with pytest.raises(InputError, match="images"):
        optimize_image(
            CONTENT, STYLE, settings, resume=True, regions=other, checkpoint=path
        )
