"""Training for any painting, from its data to a picture in a painting's manner."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from keras import ops

from nst_export.runtime.encoder import PaintingEncoder
from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf import InputError, LossSettings, Objective, build_extractor
from nst_tf.cli import main
from nst_tf.imaging.folder import Folder
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.loss.targets import MixedTargets
from nst_tf.network.trained import ENCODER, load_encoder, load_model, read_card
from nst_tf.network.vectors import by_vectors, kernels_hash, vectors_of
from nst_tf.settings.loss import ExtractorSettings
from nst_tf.style_file import read_style
from nst_training import painted
from nst_training.data import Batches
from nst_training.encoded import with_paintings
from nst_training.evaluate import evaluate
from nst_training.feed import dataset_of
from nst_training.painted import PaintedBatches, PaintedTargets
from nst_training.resident import read_squares
from nst_training.settings import StyleSettings, TrainSettings
from nst_training.train import train
from tests.helpers import Steps, scene, write_photos
from tests.nst_export.trained import vector_of

pytestmark = pytest.mark.usefixtures("bare")
LITE = ExtractorSettings(network="lite")
LOSS = LossSettings(
    convention="relative",
    content_layers=("block2_conv2",),
    style_layers=("block1_conv1", "block2_conv1"),
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    write_photos(folder / "photos", 3)
    (folder / "art").mkdir()
    for index in range(3):
        art = scene(56, 48 + 8 * index, seed=20 + index)
        save_image(folder / "art" / f"{index}.png", art)
    (folder / "art" / "3.png").write_text("no picture")
    return folder


def squares_in(folder):
    """Return the squares of the paintings that training cuts from."""
    return read_squares(Folder(folder).files, 32)[0]


def settings_of(pictures, **changes):
    usual = {
        "name": "any",
        "paintings": pictures / "art",
        "embedding": 5,
        "width": 0.125,
        "size": 32,
        "batch": 2,
        "steps": 6,
        "content_budget": 0.6,
        "warmup_steps": 0,
        "learning_rate": 0.005,
        "loss": LOSS,
        "extractor": LITE,
    }
    return TrainSettings(**usual | changes)


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    steps = Steps()
    photos = Folder(pictures / "photos")
    train(settings_of(pictures), photos, folder, observer=steps, preview_every=3)
    assert list(steps[0].broken) == [str(pictures / "art" / "3.png")]
    return folder


def bits(folder):
    """Return the weights of network and encoder."""
    network = load_model(folder).network.get_weights()
    return [*network, *load_encoder(folder).get_weights()]


def test_it_writes_network_encoder_card_and_previews(trained, pictures):
    model = load_model(trained)
    assert model.styles == []
    assert model.network.settings.styles == load_encoder(trained).size == 5
    card = read_card(trained)
    assert card["any"] == 5
    assert card["recipe"]["paintings"] == "art"
    preview = load_image(trained / "previews" / "000003.png").pixels
    # A row of paintings, then two photographs: each, itself again, and in all manners.
    count = len(squares_in(pictures / "art"))
    assert 3 <= count <= 6
    assert preview.shape == (3 * 32, (2 + count) * 32, 3)


def test_kill_and_resume_give_the_bits_of_an_unbroken_run(trained, pictures, tmp_path):
    settings, photos = settings_of(pictures), Folder(pictures / "photos")
    train(settings, photos, tmp_path, checkpoint_every=2, observer=Steps(4))
    other = settings_of(pictures, embedding=6)
    with pytest.raises(InputError, match="differs in embedding"):
        train(other, photos, tmp_path, resume=True)
    train(settings, photos, tmp_path, resume=True)
    for one, two in zip(bits(tmp_path), bits(trained), strict=True):
        np.testing.assert_array_equal(one, two)


def test_it_is_trained_on_from_itself_or_from_styles_and_they_from_it(
    trained, pictures, tmp_path
):
    photos = Folder(pictures / "photos")
    still = settings_of(pictures, steps=1, learning_rate=1e-7, ema=0.0)
    train(still, photos, tmp_path / "more", base=trained, preview_every=0)
    for one, two in zip(bits(tmp_path / "more"), bits(trained), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)
    named = dataclasses.replace(still, paintings=None, styles=named_styles(pictures))
    train(named, photos, tmp_path / "named", base=trained, preview_every=0)
    # The rows began as what the encoder makes of the paintings.
    art = {style.name: load_image(style.image).pixels for style in named.styles}
    model = load_model(trained)
    encoded = vectors_of(with_paintings(trained, model, art).network)
    styles = load_model(tmp_path / "named")
    np.testing.assert_allclose(vectors_of(styles.network), encoded, atol=1e-4)
    pairs = zip(styles.network.get_weights(), model.network.get_weights(), strict=True)
    for one, two in pairs:
        if one.ndim == 4:
            np.testing.assert_allclose(one, two, atol=1e-4)
    train(still, photos, tmp_path / "any", base=tmp_path / "named", preview_every=0)
    begun = load_model(tmp_path / "any")
    photo = scene(32, 40, seed=3)
    # The first row is the mean of the styles, and the others lie about it.
    np.testing.assert_allclose(
        begun.network({"image": photo[None], "style": np.eye(6)[[1]]}),
        styles.network({"image": photo[None], "style": np.array([[0, 0.5, 0.5]])}),
        atol=1e-3,
    )
    rows = vectors_of(begun.network)[1:]
    assert (np.abs(rows[1:] - rows[0]).max(axis=1) > 0).all()


def test_a_painting_is_tuned_into_a_file_of_one_style(
    trained, pictures, tmp_path, capsys
):
    art, photos = pictures / "art" / "2.png", pictures / "photos"
    given = ("--photos", photos, "--base", trained, "--width", "0.125")
    flags = ("--steps", "4", "--size", "32", "--preview-every", "2")
    out = tmp_path / "mine"
    words = ("train", "--add-style", f"mine={art}", *given, *flags, "-o", out)
    assert main([str(x) for x in words]) == 0
    assert (out / "previews" / "000004.png").is_file()
    base = load_model(trained).network
    begun = vector_of(base, load_encoder(trained), load_image(art).pixels)
    fits = {"any": len(begun), "network": kernels_hash(base), "name": "any"}
    path = out / "mine.style.json"
    style = read_style(path, fits)
    assert style.name == "mine"
    assert 0 < np.abs(style.vector - begun).max() < 0.3
    assert path.stat().st_size < 20_000
    # What it did not tune keeps its bits: the photograph's row and all kernels.
    tuned = load_model(out).network
    np.testing.assert_array_equal(vectors_of(tuned)[0], vectors_of(base)[0])
    np.testing.assert_array_equal(vectors_of(tuned)[1], style.vector)
    assert kernels_hash(tuned) == kernels_hash(base)
    files = tmp_path / "files"
    flags = ("--photos", photos, "-o", files, "--formats", "litert", "--vectors", path)
    assert main([str(x) for x in ("export", trained, *flags)]) == 0
    stylizer = Stylizer.load(files / "any.tflite")
    assert stylizer.styles == ["mine"]
    photo = load_image(min(photos.iterdir())).pixels[:48, :60]
    expected = tuned({"image": photo[None], "style": np.array([[0.0, 1.0]])})
    np.testing.assert_allclose(
        stylizer(photo, [0.0, 1.0]), ops.convert_to_numpy(expected)[0], atol=1e-3
    )
    # Two at once, or a recipe, are no file of one style.
    two = settings_of(pictures, paintings=None, styles=named_styles(pictures))
    with pytest.raises(InputError, match="one style at a time is tuned for it"):
        train(two, Folder(photos), tmp_path / "x", base=trained, kept=True)
    capsys.readouterr()


def named_styles(pictures):
    """Return two styles, of two of the paintings."""
    return tuple(
        StyleSettings(name=f"s{k}", image=pictures / "art" / f"{k}.png")
        for k in range(2)
    )


def test_batches_are_a_function_of_the_number_and_cut_from_all_paintings(pictures):
    squares = squares_in(pictures / "art")
    assert squares.shape[1:] == (48, 48, 3)
    source = Folder(pictures / "photos")
    photos = Batches(source, size=32, batch=4, styles=1, seed=1)
    batches = PaintedBatches(photos, 3, 0.5)
    first = [batch for batch, _ in zip(batches.open(0), range(12), strict=False)]
    again = next(batches.open(7))
    for key, value in again.items():
        np.testing.assert_array_equal(value, first[7][key])
    assert {int(x) for batch in first for x in batch["painting"]} == {0, 1, 2}
    mixes = np.concatenate([batch["mix"][:, 0] for batch in first])
    assert 0.3 < (mixes < 1).mean() < 0.7
    drawn = [batches.drawn(number) for number in range(200)]
    own, mix = (np.concatenate([x[key] for x in drawn]) for key in ("own", "mix"))
    assert 0.02 < own.mean() < 0.09
    assert (mix[own == 1] == 1).all()
    # Such a photograph is what it is compared with, and its error does not count.
    for batch in dataset_of(batches, 0, relight=0.3, copy=False, paintings=squares):
        batch = batch[0] if isinstance(batch, tuple) else batch
        seen, own = (np.asarray(batch[key]) for key in ("painting", "own"))
        image, alone = np.asarray(batch["image"]), own[:, 0] == 1
        np.testing.assert_array_equal(seen[alone], image[alone])
        assert not (seen[~alone] == image[~alone]).all(axis=(1, 2, 3)).any()
        if alone.any():
            break


def test_targets_are_those_of_a_trained_style_and_blends_those_of_blends():
    extractor = build_extractor(LOSS.layers, settings=LITE)
    objective = Objective(extractor, LOSS)
    art = np.stack([scene(32, 32, seed=k) for k in (4, 5)])
    image = np.stack([scene(32, 32, seed=k) for k in (6, 7)])
    mix = np.array([[1.0], [0.25]], "float32")
    style = np.array([[0.0, 1.0], [0.4, 0.6]], "float32")
    given = {"image": image, "painting": art, "mix": mix, "style": style}
    got = PaintedTargets(objective)(
        {k: ops.convert_to_tensor(v) for k, v in given.items()}
    )
    # The second is a quarter its own painting, and the rest the one before.
    rows = np.array([[0, 1, 0], [0.4, 0.6 * 0.75, 0.6 * 0.25]], "float32")
    expected = MixedTargets(objective, list(art))(
        {"image": ops.convert_to_tensor(image), "style": ops.convert_to_tensor(rows)}
    )
    for name, value in expected.style.items():
        np.testing.assert_allclose(got.style[name], value, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(got.strength, expected.strength, rtol=1e-5)


def test_a_painting_becomes_a_style_at_once(trained, pictures, tmp_path, capsys):
    photos, art = pictures / "photos", pictures / "art" / "1.png"
    files = tmp_path / "files"
    flags = ("--photos", photos, "-o", files, "--formats", "litert", "litert-tiles")
    assert main([str(x) for x in ("export", trained, *flags)]) == 0
    model, photo = files / "any.tflite", next(iter(sorted(photos.iterdir())))
    out = tmp_path / "out.png"
    words = ("stylize", photo, "--model", model, "--painting", art, "-o", out)
    assert main([str(x) for x in words]) == 0
    encoder = PaintingEncoder(files / "any-encoder.tflite")
    network = load_model(trained).network
    vector = vector_of(network, load_encoder(trained), load_image(art).pixels)
    np.testing.assert_allclose(encoder(art), vector, atol=5e-3 * np.abs(vector).max())
    pixels = load_image(photo).pixels
    style = np.append([0.0], vector)[None].astype("float32")
    expected = by_vectors(network)({"image": pixels[None], "style": style})
    gap = load_image(out).pixels - ops.convert_to_numpy(expected)[0]
    assert np.abs(gap).mean() < 0.03
    stylizer = Stylizer.load(model).with_styles([encoder.style(art, "art")])
    none = stylizer(pixels, mix_weights(stylizer.styles, {"art": 1.0}, strength=0))
    np.testing.assert_allclose(none, pixels, atol=1e-6)
    capsys.readouterr()
    for refused, said in (
        (
            ("--model", model, "--style", "udnie"),
            "is for any painting and has no styles",
        ),
        (("--model", model, "--painting", art, "--style", "s"), "not both"),
        (("--model", bundled(), "--painting", art), "is not for any painting"),
        (("--model", model, "--painting", pictures / "art" / "3.png"), "3.png is"),
        (("--model", model, "--painting", art, "-o", art), "overwrite"),
    ):
        words = ("stylize", photo, *refused)
        words += () if "-o" in refused else ("-o", tmp_path / "x.png")
        assert main([str(x) for x in words]) == 2
        assert said in capsys.readouterr().err
    (files / "any-encoder.tflite").unlink()
    words = ("stylize", photo, "--model", model, "--painting", art, "-o", out)
    assert main([str(x) for x in (*words, "--overwrite")]) == 2
    assert "there is no encoder" in capsys.readouterr().err
    assert main(["serve", str(model), "--port", "0"]) == 2
    assert "there is no encoder" in capsys.readouterr().err
    assert main(["styles", "--model", str(model)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"styles": None}, "paintings, not both"),
        ({"embedding": 1}, "embedding must be at least 2"),
        ({"paintings": None}, r"at least one \[\[styles\]\], or paintings"),
    ],
)
def test_what_does_not_fit_is_refused(pictures, changes, said):
    if "styles" in changes:
        changes = {"styles": named_styles(pictures)}
    with pytest.raises(InputError, match=said):
        settings_of(pictures, **changes)


def test_the_model_that_ships_is_scored_by_its_name(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photos = write_photos(tmp_path / "held", 1)
    command = ["evaluate", "any", "--photos", str(photos), "--size", "64"]
    command += ["--paintings", str(pictures / "art" / "1.png"), "--limit", "0"]
    assert main([*command, "-o", "card.json"]) == 0
    card = json.loads((tmp_path / "card.json").read_text())
    assert (card["model"], [*card["styles"]]) == ("any", ["1"])


def test_the_scorecard_of_any_painting(trained, pictures, tmp_path, capsys):
    photo = tmp_path / "held"
    write_photos(photo, 2)
    art = [str(pictures / "art" / f"{index}.png") for index in range(2)]
    command = ["evaluate", str(trained), "--photos", str(photo), "--size", "64"]
    out = tmp_path / "card.json"
    command += ["--limit", "0", "--blends", "0.5", "-o", str(out)]
    assert main([*command, "--paintings", *art]) == 0
    card = json.loads(out.read_text())
    assert [*card["styles"]] == ["0", "1"]
    first, second = card["pictures"][:2]
    for picture in (first, second):
        assert picture["blend"][-1] == picture["errors"]
        assert len(picture["blend"]) == 3
    # The ends of one blend are the pictures of two styles, measured against the first.
    assert first["blend"][0]["content"] == pytest.approx(second["errors"]["content"])
    stays = [*card["by_itself"].values()]
    assert len(stays) == 2
    assert all(-1 <= value < 1 for value in stays)
    assert "SSIM" in capsys.readouterr().out
    sheet = load_image(out.with_suffix(".png")).pixels
    assert sheet.shape[1] > sheet.shape[0]
    assert main(command) == 2
    assert "give --recipe, or --paintings" in capsys.readouterr().err
    copy = tmp_path / "0.png"
    copy.write_bytes((pictures / "art" / "1.png").read_bytes())
    assert main([*command, "--paintings", art[0], str(copy), "--overwrite"]) == 2
    assert "same name" in capsys.readouterr().err


def test_scores_by_another_encoder_are_not_gone_on_with(trained, pictures, tmp_path):
    model, state = shutil.copytree(trained, tmp_path / "model"), tmp_path / "part.json"
    write_photos(tmp_path / "held", 1)
    photos = Folder(tmp_path / "held").files

    def ended(found):
        raise KeyboardInterrupt

    asked = {"size": 64, "limit": 0, "state": state, "observer": ended}
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, photos, [pictures / "art" / "0.png"], **asked)
    encoder = load_encoder(model)
    encoder.set_weights([0.9 * weight for weight in encoder.get_weights()])
    encoder.save(model / ENCODER)
    with pytest.raises(InputError, match="another model"):
        evaluate(model, photos, [pictures / "art" / "0.png"], resume=True, **asked)


def test_the_identity_term_holds_photographs_that_are_their_own_painting(
    pictures, monkeypatch
):
    monkeypatch.setattr(painted, "_OWN", 0.3)
    photos = Folder(pictures / "photos")
    steps = []
    train(
        settings_of(pictures, steps=4, batch=4),
        photos,
        pictures / "own",
        observer=steps.append,
        preview_every=0,
    )
    drawn = PaintedBatches(Batches(photos, size=32, batch=4, styles=1, seed=0), 3, 0.0)
    own = [drawn.drawn(now.step - 1)["own"].sum() > 0 for now in steps]
    assert [now.loss.identity > 0 for now in steps] == own
    assert set(own) == {True, False}
    # A painting that can't be read is told of as a photograph is.
    assert {*steps[-1].broken} == {str(pictures / "art" / "3.png")}


def test_folders_without_a_painting_and_scorecards_are_refused(
    trained, pictures, tmp_path
):
    photos, none = (
        Folder(pictures / "photos"),
        settings_of(pictures, paintings=tmp_path),
    )
    with pytest.raises(InputError, match="holds no image files"):
        train(none, photos, tmp_path / "out")
    with pytest.raises(InputError, match="is for any painting: give it some"):
        evaluate(trained, [], [])
    assert (trained / ENCODER).is_file()
