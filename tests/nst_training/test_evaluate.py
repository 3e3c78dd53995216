"""The scorecard: artefacts that are put in are found; scores follow L-BFGS."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from nst_tf import (
    InputError,
    LossSettings,
    NetworkSettings,
    OptimizeSettings,
    build_network,
    optimize_image,
)
from nst_tf.cli import main
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.inspection.errors import ErrorMeter
from nst_tf.network.trained import Model, load_model
from nst_tf.settings.budget import strength_of
from nst_tf.settings.codec import to_plain
from nst_tf.settings.loss import ExtractorSettings
from nst_training.artefacts import measure_artefacts
from nst_training.evaluate import evaluate, score
from nst_training.settings import StyleSettings, TrainSettings
from tests.helpers import SMALL_LOSS, scene

PHOTO = scene(64, 96, seed=2)


def textured(seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(0.5 + 0.1 * rng.standard_normal((64, 96, 3)), 0.01, 0.99)


def test_a_clean_picture_has_no_artefacts():
    found = measure_artefacts(textured(), textured(1), textured(2))
    assert found.border == pytest.approx(1, abs=0.15)
    assert found.checkerboard < 2.5
    assert found.saturated == 0
    assert found.dead == 0


def test_a_frame_is_found():
    framed = textured()
    framed[:4] = (np.arange(96) % 2)[None, :, None]
    framed[-4:] = framed[:4]
    assert measure_artefacts(framed, textured(1), textured(2)).border > 2


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_checkerboard_is_found(period, axis):
    wave = 0.08 * np.cos(2 * np.pi * np.arange((64, 96)[axis]) / period)
    shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    pattern = textured() + wave.reshape(shape)
    assert measure_artefacts(pattern, textured(1), textured(2)).checkerboard > 10


def test_blown_and_dead_areas_are_found():
    picture = textured()
    picture[:16, :48] = 1.0
    picture[16:32, :48] = 0.3
    found = measure_artefacts(picture, textured(1), textured(2))
    assert found.saturated == pytest.approx(16 * 48 / (64 * 96))
    assert found.dead == pytest.approx(6 / 24)
    assert measure_artefacts(picture, 0 * picture, textured(2)).dead == 0


def test_a_smooth_part_that_neither_has_is_a_blotch():
    picture = textured()
    picture[:32, :64] = 0.4
    assert measure_artefacts(textured(), textured(1), textured(2)).blotch == 0
    found = measure_artefacts(picture, textured(1), textured(2))
    assert found.blotch == pytest.approx(2 / 6)
    flat = np.full((64, 96, 3), 0.4)
    assert measure_artefacts(picture, flat, textured(2)).blotch == 0
    assert measure_artefacts(picture, textured(1), flat).blotch == 0
    small = np.full((24, 24, 3), 0.4)  # It holds no square of 32 pixels.
    assert measure_artefacts(picture, textured(1), small).blotch == pytest.approx(2 / 6)


class Painted:
    """Stands for a network: returns the part of a picture made before."""

    def __init__(self, picture):
        self.picture = picture

    def __call__(self, inputs):
        return self.picture[None, :, : inputs["image"].shape[2]]


def test_the_score_counts_evaluations_until_lbfgs_is_better(random_vgg):
    painting = scene(48, 48, seed=7)
    meter = ErrorMeter(ExtractorSettings(network="vgg19"))
    halfway = np.clip(0.7 * PHOTO + 0.3 * scene(64, 96, seed=7), 0, 1)
    model = Model(Painted(halfway), {"styles": [{"name": "night"}]})
    got, found = score(model, PHOTO, painting, 1, meter, name="a.png", limit=20)
    np.testing.assert_array_equal(got, halfway)
    assert found.errors == meter(halfway, PHOTO, painting)
    assert (found.photo, found.style) == ("a.png", "night")
    assert found.flicker is not None
    # What L-BFGS has after so many evaluations is better, and not before.
    seen = []
    settings = OptimizeSettings(
        size=96,
        style_size=96,
        scales=1,
        schedule="whole",
        steps=20,
        loss=LossSettings(strength=strength_of(found.errors.content)),
    )

    def observe(step):
        seen.append(meter(step.image(), PHOTO, painting).mean_style)

    optimize_image(PHOTO, painting, settings, observer=observe)
    better = [style <= found.errors.mean_style for style in seen]
    expected = better.index(True) + 1 if any(better) else 20
    assert abs(found.evaluations - expected) <= 1
    assert score(model, PHOTO, painting, 1, meter, limit=0)[1].evaluations is None


@pytest.fixture
def trained(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    names = ("night", "wave")
    for index, name in enumerate(names):
        save_image(tmp_path / f"{name}.png", scene(40, 40, seed=index))
    styles = [StyleSettings(name=n, image=tmp_path / f"{n}.png") for n in names]
    settings = TrainSettings(styles=tuple(styles), width=0.125, loss=SMALL_LOSS)
    network = build_network(NetworkSettings(styles=2, width=0.125))
    network.save(folder / "model.keras")
    card = {"name": "two", "styles": to_plain(settings)["styles"]}
    card["recipe"] = to_plain(dataclasses.replace(settings))
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def test_a_model_is_scored_in_every_style(random_vgg, trained, tmp_path):
    photo = tmp_path / "photo.png"
    save_image(photo, PHOTO)
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]
    seen = []
    card, sheet = evaluate(
        trained, [photo], paintings, size=96, limit=0, observer=seen.append
    )
    assert [found.style for found in seen] == ["night", "wave"]
    assert sheet.shape == (48, 144, 3)
    assert len(card["pictures"]) == 2
    assert set(card["styles"]) == {"night", "wave"}
    night = card["styles"]["night"]
    assert night["content"] == night["worst_content"] == seen[0].errors.content
    assert night["style"] == list(seen[0].errors.style)
    assert night["flicker_pan"] == seen[0].flicker.pan
    assert json.loads(json.dumps(card)) == card
    with pytest.raises(InputError, match=r"2 styles .* but 1 paintings"):
        evaluate(trained, [photo], paintings[:1])


@pytest.mark.parametrize(
    ("sides", "size", "narrow"), [((31, 96), 96, "96x31"), ((200, 64), 64, "20x64")]
)
def test_a_photograph_that_is_too_narrow_is_refused(
    trained, tmp_path, sides, size, narrow
):
    save_image(tmp_path / "wide.png", PHOTO)
    save_image(tmp_path / "narrow.png", scene(*sides, seed=2))
    photos = [tmp_path / "wide.png", tmp_path / "narrow.png"]
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]
    with pytest.raises(
        InputError, match=rf"narrow.png has {narrow} pixels .* needs 32"
    ):
        evaluate(trained, photos, paintings, size=size, limit=0)


def test_photographs_of_one_name_are_told_apart(random_vgg, trained, tmp_path):
    photos = [tmp_path / "a" / "1.png", tmp_path / "b" / "1.png"]
    for seed, photo in enumerate(photos):
        photo.parent.mkdir()
        save_image(photo, scene(48, 48, seed=seed))
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]
    card, _ = evaluate(trained, photos, paintings, size=48, limit=0)
    named = [entry["photo"] for entry in card["pictures"]]
    assert named == ["a/1.png"] * 2 + ["b/1.png"] * 2


@pytest.mark.parametrize("output", ["card.json", "results/card.json"])
def test_a_sheet_does_not_lie_among_the_photographs(trained, tmp_path, capsys, output):
    folder = tmp_path / "photos"
    folder.mkdir()
    save_image(folder / "1.png", PHOTO)
    words = ["evaluate", trained, "--photos", folder, "-o", folder / output]
    words += ["--paintings", tmp_path / "night.png"]
    assert main([str(word) for word in words]) == 2
    assert "would lie among the photographs" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["1.png"]


def test_strengths_are_a_dial(random_vgg, trained, tmp_path):
    photo = tmp_path / "photo.png"
    save_image(photo, PHOTO)
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]
    asked = {"size": 96, "limit": 0, "strengths": (0.25, 0.75)}
    card, _ = evaluate(trained, [photo], paintings, **asked)
    model, meter = load_model(trained), ErrorMeter(ExtractorSettings(network="vgg19"))
    wave, pixels = scene(40, 40, seed=1), load_image(photo).pixels
    none, quarter, _, whole = card["pictures"][1]["dial"]
    assert none["content"] == pytest.approx(0, abs=1e-6)
    expected = meter(model(pixels, [0.75, 0, 0.25]), pixels, wave)
    assert quarter["content"] == pytest.approx(expected.content, rel=1e-3)
    assert whole == card["pictures"][1]["errors"]
    steps = [
        (
            more["content"] > less["content"],
            np.mean(more["style"]) < np.mean(less["style"]),
        )
        for less, more in itertools.pairwise(card["pictures"][0]["dial"])
    ]
    assert card["styles"]["night"]["monotone"] == np.mean(steps)


def test_another_programs_pictures_are_put_beside(random_vgg, trained, tmp_path):
    photo, others = tmp_path / "kodim.png", tmp_path / "others"
    save_image(photo, PHOTO)
    others.mkdir()
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]
    asked = {"size": 96, "limit": 0, "beside": others}
    with pytest.raises(InputError, match=r"no picture whose name .* night_kodim"):
        evaluate(trained, [photo], paintings, **asked)
    save_image(others / "theirs_wave_kodim.png", PHOTO)
    card, sheet = evaluate(trained, [photo], paintings, **asked)
    assert sheet.shape == (48, 5 * 48, 3)
    assert set(card["beside"]["styles"]) == {"wave"}
    # It is the photograph itself.
    assert card["beside"]["styles"]["wave"]["content"] == pytest.approx(0, abs=1e-6)
    save_image(others / "theirs_wave_kodim.png", PHOTO[:32])
    with pytest.raises(InputError, match=r"96x32 pixels, the photograph 96x64"):
        evaluate(trained, [photo], paintings, **asked)


def test_another_programs_picture_is_the_one_whose_whole_names_it_has(
    random_vgg, trained, tmp_path
):
    others = tmp_path / "others"
    others.mkdir()
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]
    photos = [tmp_path / "img1.png", tmp_path / "img10.png"]
    for seed, photo in enumerate(photos):
        save_image(photo, scene(64, 96, seed=seed))
        save_image(others / f"wave_{photo.name}", scene(64, 96, seed=seed))
    # Of others in the same folder, and no picture.
    save_image(others / "wave_img100.png", PHOTO)
    save_image(others / "waves_img1.png", PHOTO)
    (others / "wave_img1.txt").write_text("how it was made")
    card, _ = evaluate(trained, photos, paintings, size=96, limit=0, beside=others)
    wave = card["beside"]["styles"]["wave"]
    assert len(card["beside"]["pictures"]) == 2
    assert wave["worst_content"] == pytest.approx(0, abs=1e-6)


def test_an_evaluation_that_was_killed_goes_on(random_vgg, trained, tmp_path):
    photo, state = tmp_path / "photo.png", tmp_path / "card.part.json"
    save_image(photo, PHOTO)
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]

    def run(observer, size=96, **options):
        given = {"size": size, "limit": 0, "state": state, "observer": observer}
        return evaluate(trained, [photo], paintings, **given, **options)

    def killed(found):
        raise KeyboardInterrupt

    whole, sheet = run(lambda found: None)
    state.unlink()
    with pytest.raises(InputError, match="no scores to go on from"):
        run(killed, resume=True)
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    with pytest.raises(InputError, match="another model, other pictures or other"):
        run(killed, size=80, resume=True)
    seen = []
    card, again = run(seen.append, resume=True)
    assert [found.style for found in seen] == ["wave"]
    assert card == whole
    np.testing.assert_array_equal(again, sheet)


def test_folders_without_a_model_are_refused(tmp_path, trained):
    with pytest.raises(InputError, match="holds no trained model"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "state.npz").touch()
    with pytest.raises(InputError, match=r"no trained .*--resume finishes it"):
        load_model(tmp_path)
    (trained / "model.json").write_text('{"styles": [], "recipe": {}}')
    with pytest.raises(InputError, match="0 styles for 3 weights"):
        load_model(trained)
