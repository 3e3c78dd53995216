"""`nst compress`: a file that the loss network reads, a card, resumed where stopped."""

import json

import numpy as np
import pytest

from nst_tf import ExtractorSettings, build_extractor
from nst_tf.cli import main
from nst_tf.imaging.write import save_image
from nst_tf.loss.choice import hash_kernel
from nst_tf.loss.lite_weights import read_lite
from tests.helpers import random_weights, scene

SMALL = ("--numbers", "400000", "--crops", "4", "--crop", "32", "--batch", "1")


@pytest.fixture
def pictures(tmp_path):
    for name in ("photos", "paintings"):
        for index in range(3):
            path = tmp_path / name / f"{index}.png"
            path.parent.mkdir(exist_ok=True)
            save_image(path, scene(60, 70, seed=index + 10 * len(name)))
    return tmp_path


def command(folder, weights, *flags):
    words = ["compress", str(weights), "--photos", str(folder / "photos")]
    words += ["--paintings", str(folder / "paintings"), *SMALL]
    return [*words, "-o", str(folder / "lite.npz"), "--quiet", *flags]


def test_the_closed_form_is_a_network_with_a_card(pictures, vgg_file):
    assert main(command(pictures, vgg_file, "--steps", "0")) == 0
    path = pictures / "lite.npz"
    made = read_lite(path)
    assert list(made.layers)[-1] == "block5_conv1"
    numbers = sum(
        f.kernel.size + f.mix.size for f in made.layers.values() if f.mix is not None
    )
    assert 0.5 * 400_000 < numbers <= 400_000
    assert made.card["first_kernel"] == hash_kernel(random_weights()["block1_conv1"][0])
    assert made.card["licence"] == "CC BY 4.0"
    assert made.card["steps"] == 0
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


def test_a_training_writes_its_steps_and_another_file_is_refused(
    pictures, vgg_file, capsys
):
    assert main(command(pictures, vgg_file, "--steps", "2", "--runs", "1")) == 0
    again = command(pictures, pictures / "photos" / "0.png")
    lines = (pictures / "lite.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    assert not (pictures / "lite.state.npz").exists()
    assert main(again) == 2
    assert "holds a model already" in capsys.readouterr().err
    assert main([*again, "--overwrite"]) == 2
    assert "not a readable HDF5 file" in capsys.readouterr().err
