"""`nst compress`: a file that the loss network reads, a card, resumed where stopped."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from nst_tf import ExtractorSettings, InputError, build_extractor
from nst_tf.backend.precision import resolve_precision
from nst_tf.cli import main
from nst_tf.files import sha256
from nst_tf.imaging.write import save_image
from nst_tf.loss.choice import hash_kernel
from nst_tf.loss.lite_weights import read_lite
from nst_tf.running.checkpoint import save_checkpoint
from nst_training.compress import program
from nst_training.compress.settings import CompressSettings
from nst_training.data import hash_names
from tests.helpers import random_weights, scene

SMALL = ("--numbers", "400000", "--crops", "4", "--crop", "32", "--batch", "1")


def command(folder, weights, *flags):
    words = ["compress", str(weights), "--photos", str(folder / "photos")]
    words += ["--paintings", str(folder / "paintings"), *SMALL]
    return [*words, "-o", str(folder / "lite.npz"), "--quiet", *flags]


@pytest.fixture(scope="module")
def made_in(tmp_path_factory, vgg_file):
    """A folder of photographs, one of paintings, and what was made of a VGG by them.

    Of two small steps little comes: it is the closed form.
    """
    folder = tmp_path_factory.mktemp("compress")
    for name in ("photos", "paintings"):
        (folder / name).mkdir()
        for index in range(3):
            picture = scene(60, 70, seed=index + 10 * len(name))
            save_image(folder / name / f"{index}.png", picture)
    assert main(command(folder, vgg_file, "--steps", "2", "--runs", "1")) == 0
    return folder


def test_the_closed_form_is_a_network_with_a_card(made_in, vgg_file):
    path = made_in / "lite.npz"
    made = read_lite(path)
    assert list(made.layers)[-1] == "block5_conv1"
    numbers = sum(
        f.kernel.size + f.mix.size for f in made.layers.values() if f.mix is not None
    )
    assert 0.5 * 400_000 < numbers <= 400_000
    assert made.card["first_kernel"] == hash_kernel(random_weights()["block1_conv1"][0])
    assert made.card["licence"] == "CC BY 4.0"
    assert made.card["steps"] == 2
    settings = ExtractorSettings(network="lite", lite_weights=path)
    image = scene(32, 40)[None]
    got, exact = (
        build_extractor(["block2_conv1"], settings=chosen)(image)["block2_conv1"]
        for chosen in (
            settings,
            ExtractorSettings(network="vgg19", vgg_weights=vgg_file),
        )
    )
    gap = np.linalg.norm(np.asarray(got) - np.asarray(exact))
    assert gap < 0.8 * np.linalg.norm(np.asarray(exact))


def test_without_steps_the_closed_form_alone_is_written(
    made_in, vgg_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(program, "_DEEPEST", "block2_conv1")  # Which is quick.
    words = command(made_in, vgg_file, "--steps", "0")
    words[words.index("-o") + 1] = str(tmp_path / "lite.npz")
    assert main(words) == 0
    made = read_lite(tmp_path / "lite.npz")
    assert list(made.layers) == ["block1_conv1", "block1_conv2", "block2_conv1"]
    assert made.card["steps"] == 0
    assert not (tmp_path / "lite.state.npz").exists()


def test_a_training_writes_its_steps_and_another_file_is_refused(made_in, capsys):
    again = command(made_in, made_in / "photos" / "0.png")
    lines = (made_in / "lite.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    assert not (made_in / "lite.state.npz").exists()
    assert main(again) == 2
    assert "holds a model already" in capsys.readouterr().err
    assert main([*again, "--overwrite"]) == 2
    assert "not a readable HDF5 file" in capsys.readouterr().err


def test_a_state_of_other_pictures_is_refused(made_in, vgg_file, tmp_path):
    photos, paintings = (
        sorted((made_in / name).iterdir()) for name in ("photos", "paintings")
    )
    names, settings = hash_names(["0.png", "1.png", "2.png"]), CompressSettings()
    facts = {
        "settings": dataclasses.asdict(settings),
        "weights": sha256(vgg_file),
        "photographs": names,
        "paintings": names,
        "dtype": resolve_precision("auto"),
        "backend": keras.backend.backend(),
    }
    save_checkpoint(tmp_path / "lite.state.npz", {"identity": facts}, [])
    for given, differs in [
        ((photos[:2], paintings), "differs in photographs"),
        ((photos, paintings[:2]), "differs in paintings"),
    ]:
        with pytest.raises(InputError, match=f"{differs}$"):
            program.compress_network(
                vgg_file, *given, tmp_path / "lite.npz", settings=settings, resume=True
            )
