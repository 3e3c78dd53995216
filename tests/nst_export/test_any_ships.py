"""The model for any painting that ships: its files are its training's, and are used."""

from pathlib import Path

import numpy as np
import pytest
from keras import ops

from nst_export.runtime.encoder import PaintingEncoder, encoder_beside
from nst_export.runtime.guests import chosen_model
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.one_pass import one_pass
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf import OptimizeSettings, optimize_image
from nst_tf.cli import main
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.inspection.errors import ErrorMeter
from nst_tf.network.trained import load_encoder, load_model
from nst_tf.network.vectors import by_vectors, kernels_hash
from nst_tf.settings.loss import ExtractorSettings
from nst_tf.shipped import shipped
from nst_tf.style_file import StyleVector, read_style
from tests.helpers import scene
from tests.nst_export.trained import vector_of
from tests.serving import psnr


@pytest.fixture(scope="module")
def model():
    return Stylizer.load(bundled("any"))


@pytest.fixture(scope="module")
def encoder(model):
    return PaintingEncoder(encoder_beside(bundled("any"), model.card))


def test_its_files_are_of_the_trained_model_that_ships(model, encoder):
    folder = shipped(Path("any"))
    network = load_model(folder).network
    assert kernels_hash(network) == model.card["network"] == encoder.network
    art, photo = scene(260, 300, seed=1), scene(96, 128, seed=2)
    vector = vector_of(network, load_encoder(folder), art)
    np.testing.assert_allclose(encoder(art), vector, atol=5e-2 * np.abs(vector).max())
    style = np.append([0.0], vector)[None]
    given = {"image": photo[None], "style": style.astype("float32")}
    wanted = ops.convert_to_numpy(by_vectors(network)(given))[0]
    own = StyleVector("own", vector, encoder.network)
    for name, least in (("any", 38), ("any-float16", 50)):
        found = Stylizer.load(bundled(name)).with_styles(
            [own, encoder.style(art, "art")]
        )
        for chosen, limit in (("own", least), ("art", 38)):  # The encoder is int8.
            weights = mix_weights(found.styles, {chosen: 1.0})
            assert psnr(found(photo, weights), wanted) > limit


def test_a_painting_needs_no_model_to_be_named(model, encoder, tmp_path):
    art, photo, out = (tmp_path / f"{name}.png" for name in ("art", "photo", "out"))
    save_image(art, scene(70, 90, seed=3))
    save_image(photo, scene(48, 64, seed=4))
    given = ("stylize", photo, "--painting", art, "--strength", "0.7", "-o", out)
    assert main([str(word) for word in given]) == 0
    with_art = model.with_styles([encoder.style(art, "art")])
    wanted = with_art(photo, mix_weights(with_art.styles, {"art": 1.0}, strength=0.7))
    assert psnr(load_image(out).pixels, wanted) > 50
    assert chosen_model(None, "udnie", None, None) == bundled()
    assert chosen_model(None, None, f"{art}=1,udnie=1", None) == bundled("any")


def test_models_that_ship_are_known_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_image("photo.png", scene(48, 64, seed=4))
    assert main(["styles", "--names", "--model", "any"]) == 0
    assert capsys.readouterr().out.split() == Stylizer.load(bundled()).styles
    for name in ("any", "gallery"):
        pictures = []
        for model, *more in ((bundled(name),), (name,), (name, "--workers", "1")):
            given = ("--model", str(model), "--style", "udnie", *more, "-o", "out.png")
            assert main(["stylize", "photo.png", *given]) == 0
            pictures.append(Path("out.png").read_bytes())
            Path("out.png").unlink()
        assert pictures[1:] == pictures[:1] * 2
    assert chosen_model(Path("any"), "udnie", None, None) == bundled("any")
    assert main(["serve", "gallery", str(bundled())]) == 2
    assert "need different file names" in capsys.readouterr().err
    (tmp_path / "any").mkdir()  # What lies there is meant.
    assert chosen_model(Path("any"), "udnie", None, None) == Path("any")


def test_the_gallerys_styles_are_named_in_it_and_mix_with_paintings(
    model, encoder, tmp_path
):
    assert model.styles == Stylizer.load(bundled()).styles
    folder = shipped(Path("any")) / "styles"
    tuned = [read_style(folder / f"{x}.style.json", model.card) for x in model.styles]
    np.testing.assert_allclose(
        [style.vector for style in tuned], model.rows[1:, 1:], rtol=1e-6
    )
    assert all(style.credit for style in tuned)
    art, photo, out = (tmp_path / f"{name}.png" for name in ("art", "photo", "out"))
    save_image(art, scene(70, 90, seed=3))
    save_image(photo, scene(48, 64, seed=4))
    given = ("stylize", photo, "--mix", f"{art}=1,the_scream=3", "-o", out)
    assert main([str(word) for word in given]) == 0
    with_art = model.with_styles([encoder.style(art, "art")])
    mix = mix_weights(with_art.styles, {"art": 0.25, "the_scream": 0.75})
    assert psnr(load_image(out).pixels, with_art(photo, mix)) > 50


def test_one_of_its_styles_becomes_a_file_of_its_own(model, tmp_path, capsys):
    save_image(tmp_path / "photo.png", scene(48, 64, seed=4))
    udnie = shipped(Path("any")) / "styles" / "udnie.style.json"
    words = ["export", "any", "--photos", str(tmp_path), "--style", "udnie"]
    words += ["--formats", "litert", "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert "there is no style udnie (there are none: give --vectors)" in (
        capsys.readouterr().err
    )
    assert main([*words, "--vectors", str(udnie)]) == 0
    alone, photo = Stylizer.load(tmp_path / "out/any.tflite"), scene(48, 64, seed=5)
    assert alone.styles == ["udnie"]
    mix = mix_weights(model.styles, {"udnie": 1.0})
    assert psnr(alone(photo, [0.0, 1.0]), model(photo, mix)) > 30


def test_less_strength_is_less_of_the_painting(model, encoder):
    """And none is the photograph, to the bit."""
    art, photo = scene(128, 128, seed=5), scene(96, 128, seed=6)
    with_art = model.with_styles([encoder.style(art, "art")])
    pictures = [
        with_art(photo, mix_weights(with_art.styles, {"art": 1.0}, strength=s))
        for s in (0, 0.25, 0.5, 0.75, 1)
    ]
    np.testing.assert_array_equal(pictures[0], photo)
    meter = ErrorMeter(ExtractorSettings(network="lite"))
    errors = [meter(picture, photo, art) for picture in pictures]
    contents = [found.content for found in errors]
    assert contents == sorted(contents)


def test_an_optimisation_may_start_from_it():
    art, photo = scene(96, 96, seed=7), scene(64, 80, seed=8)
    kept = {"size": 80, "scales": 1, "steps": 1}
    kept |= {"extractor": ExtractorSettings(network="lite")}
    begun = [
        optimize_image(photo, art, OptimizeSettings(init=init, **kept)).pixels
        for init in ("content", "one-pass")
    ]
    start = one_pass(photo, [art])
    assert psnr(begun[1], start) > psnr(begun[0], start) + 3


def test_a_start_from_it_says_nothing(tmp_path, capfd):
    words = ["optimize", "photo.png", "art.png", "-o", "out.png"]
    for name, size in (("photo.png", (64, 80)), ("art.png", (96, 96))):
        save_image(tmp_path / name, scene(*size, seed=8))
    given = [str(tmp_path / word) if ".png" in word else word for word in words]
    short = ["--network", "lite", "--size", "80", "--scales", "1", "--steps", "1"]
    assert main([*given, *short, "--init", "one-pass", "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")
