"""Keeping the photograph's colours: moments, histograms, luminance, gamut."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import wasserstein_distance

from nst_tf import InputError, OptimizeSettings, measure_loss, optimize_image
from nst_tf.cli import main
from nst_tf.imaging.color import (
    keep_colors,
    luma_range,
    match_histogram,
    match_moments,
    prepare,
    to_linear,
    to_srgb,
)
from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import to_bytes
from tests.helpers import ROOT, SMALL, scene

FORMS = ["cholesky", "pca", "symmetric"]
WEIGHTS = np.array([0.299, 0.587, 0.114])


def toned(picture, seed):
    """Mix the channels, so that the colours are correlated; keep them off the edge."""
    draw = np.random.default_rng(seed)
    mixed = picture.reshape(-1, 3) @ draw.dirichlet(np.ones(3), 3).T
    return (0.3 + 0.3 * mixed).reshape(picture.shape).astype("float32")


PHOTO, STYLE = toned(scene(40, 56, seed=1), 3), toned(scene(48, 44, seed=7), 4)


def chroma(picture):
    """Return I and Q of YIQ, the form of the FCC's standard of 1953."""
    i = picture @ np.array([0.5959, -0.2746, -0.3213])
    q = picture @ np.array([0.2115, -0.5227, 0.3112])
    return np.stack([i, q], axis=-1)


def moments(picture):
    flat = picture.reshape(-1, picture.shape[-1]).astype("float64")
    return flat.mean(axis=0), np.cov(flat.T, bias=True)


@pytest.mark.parametrize("form", FORMS)
def test_a_matched_style_has_the_mean_and_covariance_of_the_photograph(form):
    got, wanted = moments(match_moments(STYLE, PHOTO, form=form)), moments(PHOTO)
    np.testing.assert_allclose(got[0], wanted[0], atol=1e-5)
    np.testing.assert_allclose(got[1], wanted[1], atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_a_style_that_matches_already_is_left_as_it_is(form):
    # Cut in half and swapped: another picture with the same colours.
    same = np.concatenate([PHOTO[20:], PHOTO[:20]])
    np.testing.assert_allclose(match_moments(PHOTO, same, form=form), PHOTO, atol=2e-5)


def test_the_forms_are_those_of_their_papers():
    (_, own), (_, wanted) = moments(STYLE), moments(PHOTO)
    root, back = sqrtm(own), np.linalg.inv(sqrtm(own))
    maps = {
        "cholesky": np.linalg.cholesky(wanted) @ np.linalg.inv(np.linalg.cholesky(own)),
        "pca": sqrtm(wanted) @ back,
        "symmetric": back @ sqrtm(root @ wanted @ root) @ back,
    }
    centered = STYLE - STYLE.mean(axis=(0, 1))
    for form, matrix in maps.items():
        expected = centered @ matrix.T + PHOTO.mean(axis=(0, 1))
        got = match_moments(STYLE, PHOTO, form=form)
        np.testing.assert_allclose(got, expected, atol=2e-4)


def test_the_symmetric_form_moves_the_colours_least():
    moved = {
        form: np.square(match_moments(STYLE, PHOTO, form=form) - STYLE).mean()
        for form in FORMS
    }
    assert moved["symmetric"] < min(moved["cholesky"], moved["pca"])


@pytest.mark.parametrize("form", FORMS)
def test_rounding_in_a_grey_painting_is_not_stretched_to_colours(form):
    drawing = np.repeat(scene(40, 40)[..., :1], 3, axis=-1)
    speckled = to_bytes(drawing) + np.random.default_rng(0).integers(
        0, 2, drawing.shape, "uint8"
    ) * (to_bytes(drawing) < 255)
    got = match_moments((speckled / 255).astype("float32"), PHOTO, form=form)
    photo = chroma(PHOTO).std(axis=(0, 1))
    assert (chroma(got - match_moments(drawing, PHOTO, form=form)).std() < photo).all()


def test_a_matched_histogram_is_the_photographs():
    got = match_histogram(STYLE, PHOTO)
    assert PHOTO.min() <= got.min() <= got.max() <= PHOTO.max()

    def gap(picture, axis):
        axis = axis / np.linalg.norm(axis)
        return wasserstein_distance((picture @ axis).ravel(), (PHOTO @ axis).ravel())

    assert max(gap(got, axis) for axis in np.eye(3)) < 1 / 255
    # Not the three histograms alone: those of their combinations too.
    axes = np.random.default_rng(5).standard_normal((12, 3))
    before, after = (sum(gap(x, axis) for axis in axes) for x in (STYLE, got))
    assert after < 0.2 * before


def test_linear_light_is_the_srgb_standards():
    # IEC 61966-2-1: half the light is the code 188, the code 119 is 18.4 % grey.
    assert 255 * float(to_srgb(np.array(0.5))) == pytest.approx(187.5, abs=0.1)
    assert float(to_linear(np.array(119 / 255))) == pytest.approx(0.184, abs=1e-3)
    values = np.linspace(0, 1, 256)
    np.testing.assert_allclose(to_srgb(to_linear(values)), values, atol=1e-9)


def test_in_linear_light_the_amounts_of_light_match():
    _, (style,) = prepare(PHOTO, [STYLE], "match-symmetric", linear_light=True)
    got, wanted = moments(to_linear(style)), moments(to_linear(PHOTO))
    np.testing.assert_allclose(got[0], wanted[0], atol=1e-4)
    np.testing.assert_allclose(got[1], wanted[1], atol=1e-5)


def test_kept_colors_are_the_photographs_and_the_luma_the_pictures():
    photo = 0.3 + 0.4 * scene(20, 24, seed=1)
    picture = np.clip(photo + 0.1 * np.sin(np.arange(24))[None, :, None], 0, 1)
    got = keep_colors(picture.astype("float32"), photo)
    np.testing.assert_allclose(got @ WEIGHTS, picture @ WEIGHTS, atol=1e-5)
    np.testing.assert_allclose(chroma(got), chroma(photo), atol=1e-4)


def test_at_the_gamuts_edge_luminance_gives_way_and_colour_stays():
    photo = np.array([[[1, 0, 0], [0.9, 0.5, 0.2], [0.1, 0.1, 0.3]]], "float32")
    for value in (0.0, 1.0):
        got = keep_colors(np.full_like(photo, value), photo)
        # The same is added to all three until the first of them ends.
        room = photo.min(axis=-1) if value == 0 else photo.max(axis=-1) - 1
        np.testing.assert_allclose(got, photo - room[..., None], atol=1e-6)
        np.testing.assert_allclose(chroma(got), chroma(photo), atol=1e-4)


def test_the_range_of_luminance_is_where_the_gamut_ends():
    photo = scene(6, 7)
    for bound, edge in zip(luma_range(photo), (0.0, 1.0), strict=True):
        moved = photo + (bound - photo @ WEIGHTS)[..., None]
        assert -1e-6 <= moved.min() <= moved.max() <= 1 + 1e-6
        np.testing.assert_allclose(np.abs(moved - edge).min(axis=-1), 0, atol=1e-6)


def test_for_luminance_the_painting_gets_the_photographs_mean_and_deviation():
    photo, (style,) = prepare(PHOTO, [STYLE], "luminance")
    for picture in (photo, style):
        assert np.ptp(picture, axis=-1).max() == 0
        assert picture.mean() == pytest.approx((PHOTO @ WEIGHTS).mean(), abs=1e-5)
        assert picture.std() == pytest.approx((PHOTO @ WEIGHTS).std(), abs=1e-5)


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize(
    ("optimizer", "init"), [("lbfgs", "content"), ("adam", "noise")]
)
def test_a_painted_luminance_keeps_chroma_within_rounding(optimizer, init):
    vivid = scene(40, 56, seed=1)  # Reaches the edge of the gamut in many pixels.
    settings = dataclasses.replace(
        SMALL, color="luminance", optimizer=optimizer, init=init
    )
    seen = []
    result = optimize_image(
        vivid, scene(48, 48, seed=7), settings, observer=lambda s: seen.append(s)
    )
    saved = to_bytes(result.pixels) / 255
    # Half a step of each channel, times the sum of the weights of I or Q.
    assert np.abs(chroma(saved) - chroma(vivid)).max() < 1.2 * 0.5 / 255 + 1e-4
    assert np.abs((saved - vivid) @ WEIGHTS).mean() > 0.01
    assert result.loss.total < seen[0].loss.total
    np.testing.assert_array_equal(seen[-1].image(), result.pixels)


@pytest.mark.usefixtures("random_vgg")
def test_the_loss_of_a_painted_luminance_is_that_of_the_saved_file():
    settings = dataclasses.replace(SMALL, color="luminance", steps=60)
    content, style = scene(40, 56, seed=1), scene(48, 48, seed=7)
    result = optimize_image(content, style, settings)
    saved = to_bytes(result.pixels).astype("float32") / 255
    measured = measure_loss(saved, content, style, settings)
    assert measured.total == pytest.approx(result.loss.total, rel=0.1)


@pytest.mark.usefixtures("bare")
def test_with_a_matched_style_the_result_has_the_photographs_colours(reference):
    photo, style = reference
    style = style[..., ::-1]  # Orange, unlike the photograph.

    def gap(color):
        settings = OptimizeSettings(
            size=80, scales=1, steps=20, schedule="whole", color=color
        )
        got = optimize_image(photo, style, settings).pixels
        return np.abs(moments(chroma(got))[0] - moments(chroma(photo))[0]).max()

    off = gap("off")
    assert gap("match-symmetric") < 0.35 * off
    assert gap("match-histogram") < 0.35 * off


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize("color", ["luminance", "match-pca"])
def test_the_command_keeps_colours_and_like_repeats_it(pair, tmp_path, color):
    flags = ["--size", "56", "--scales", "1", "--steps", "4", "--schedule", "auto=0"]
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    command = ["optimize", *map(str, pair), "--quiet"]
    assert main([*command, "-o", str(first), *flags, "--color", color]) == 0
    assert read_settings(first)["settings"]["color"] == color
    assert main([*command, "-o", str(second), "--like", str(first)]) == 0
    np.testing.assert_array_equal(load_image(first).pixels, load_image(second).pixels)


def test_linear_light_without_a_match_is_refused(pair, tmp_path, capsys):
    command = ["optimize", *map(str, pair), "-o", str(tmp_path / "out.png")]
    with pytest.raises(SystemExit) as left:
        main([*command, "--color", "luminance", "--linear-light"])
    assert left.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "choose a color of match-..., got luminance" in said
    assert not (tmp_path / "out.png").exists()
    with pytest.raises(InputError, match="got off"):
        OptimizeSettings(linear_light=True)


def test_keeping_colours_loads_neither_tensorflow_nor_keras():
    program = (
        "import sys, nst_tf.imaging.color; "
        "assert not {'keras', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_stopped_run_of_the_luminance_resumes_with_equal_bits(random_vgg, tmp_path):
    settings = dataclasses.replace(SMALL, color="luminance")
    photo, style = scene(40, 56, seed=1), scene(48, 48, seed=7)
    whole = optimize_image(photo, style, settings).pixels
    path = tmp_path / "state.npz"
    optimize_image(
        photo, style, settings, observer=lambda s: s.step == 5, checkpoint=path
    )
    again = optimize_image(photo, style, settings, checkpoint=path, resume=True)
    np.testing.assert_array_equal(again.pixels, whole)
    with pytest.raises(InputError, match="color"):
        optimize_image(
            photo,
            style,
            dataclasses.replace(SMALL, color="match-pca"),
            checkpoint=path,
            resume=True,
        )
