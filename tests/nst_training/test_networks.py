"""Training that looks through lite first, and through VGG-19 for its last fifth."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

from nst_tf import ExtractorSettings, InputError
from nst_tf.cli import main
from nst_tf.imaging.folder import Folder
from nst_tf.imaging.write import save_image
from nst_tf.network.trained import MODEL, read_card
from nst_training.settings import with_style
from nst_training.train import train
from tests.helpers import (
    BOTH_NETWORKS,
    Steps,
    scene,
    training,
    write_photos,
    write_recipe,
)

LITE, VGG, BOTH = (
    ExtractorSettings(network=name) for name in ("lite", "vgg19", "lite-vgg19")
)


@pytest.fixture
def photos(tmp_path):
    return Folder(write_photos(tmp_path / "photos", 5))


@pytest.fixture
def settings(tmp_path):
    return training(tmp_path, ["night"], steps=10, extractor=BOTH)


def run(settings, photos, folder, **values):
    """Train without previews; return the losses of the steps."""
    steps = values.pop("observer", Steps())
    train(settings, photos, folder, observer=steps, preview_every=0, **values)
    return {step.step: step.loss.total for step in steps}


def weights(folder):
    return keras.saving.load_model(folder / MODEL).get_weights()


@pytest.mark.usefixtures("random_vgg")
def test_four_fifths_of_the_steps_are_those_of_lite_and_the_rest_are_vggs(
    photos, settings, tmp_path
):
    through = {
        name: dataclasses.replace(
            settings, extractor=extractor, content_budget=0.0, ema=0.0
        )
        for name, extractor in (("lite", LITE), ("vgg", VGG), ("both", BOTH))
    }
    lite = run(through["lite"], photos, tmp_path / "lite")
    out, base = tmp_path / "both", tmp_path / "base"
    both = run(through["both"], photos, out, observer=Steps(8))
    shutil.copytree(out, base)
    both |= run(through["both"], photos, out, resume=True)
    assert list(both) == list(range(1, 11))
    # Equal losses of step 9 would need equal weights and an equal network.
    assert [both[k] for k in range(1, 9)] == [lite[k] for k in range(1, 9)]
    assert both[9] != pytest.approx(lite[9], rel=0.05)
    # The state of lite after step 8, gone on from with VGG-19, gives step 9.
    judged = dataclasses.replace(
        through["vgg"], steps=9, learning_rate=1e-9, warmup_steps=0
    )
    judged_losses = run(judged, photos, tmp_path / "judged", base=base)
    assert judged_losses[9] == pytest.approx(both[9], rel=1e-3)


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.slow
@pytest.mark.parametrize("stop", [5, 8, 9])
def test_training_resumed_in_either_network_has_the_bits_of_an_unbroken_one(
    photos, settings, tmp_path, stop
):
    whole = run(settings, photos, tmp_path / "whole")
    broken = tmp_path / "broken"
    run(settings, photos, broken, observer=Steps(stop))
    rest = run(settings, photos, broken, resume=True)
    assert rest == {step: whole[step] for step in range(stop + 1, 11)}
    for one, other in zip(weights(tmp_path / "whole"), weights(broken), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.slow
def test_the_average_of_the_weights_is_not_put_in_at_the_switch(
    photos, settings, tmp_path
):
    # With a long memory the average is near the first weights: putting it in would
    # throw away what the steps before the switch have learned.
    without = dataclasses.replace(settings, ema=0.0)
    averaged = dataclasses.replace(settings, ema=0.99)
    found = [
        run(changed, photos, tmp_path / f"{changed.ema}")
        for changed in (without, averaged)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_broken_weights_of_the_last_network_are_an_error_before_the_first_step(
    photos, settings, tmp_path, monkeypatch
):
    path = tmp_path / "vgg19.h5"
    path.write_text("no weights")
    monkeypatch.setenv("NST_VGG19_WEIGHTS", str(path))
    steps = Steps()
    with pytest.raises(InputError, match=r"vgg19\.h5 is not a readable HDF5 file"):
        run(settings, photos, tmp_path / "out", observer=steps)
    assert not steps


@pytest.mark.usefixtures("random_vgg")
def test_the_state_of_another_network_is_refused(photos, settings, tmp_path):
    run(settings, photos, tmp_path / "out", observer=Steps(2))
    other = dataclasses.replace(settings, extractor=VGG)
    with pytest.raises(InputError, match=r"differs in extractor\.network"):
        run(other, photos, tmp_path / "out", resume=True)


@pytest.mark.usefixtures("bare")
def test_without_vgg_the_command_trains_with_lite_says_so_and_the_card_does(
    tmp_path, capsys
):
    recipe = write_recipe(tmp_path, BOTH_NETWORKS, photos=2)
    out = tmp_path / "out"
    command = ["train", str(recipe), "--photos", str(tmp_path / "photos")]
    command += ["-o", str(out), "--steps", "2", "--preview-every", "0"]
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "loss network: lite, made from VGG-19, which is not here" in said
    extractor = json.loads((out / "model.json").read_text())["recipe"]["extractor"]
    assert extractor == {"network": "lite", "pooling": "max", "padding": "zero"}


@pytest.mark.usefixtures("bare")
def test_a_style_is_added_without_vgg_to_a_model_trained_with_it(
    photos, settings, vgg_file, tmp_path, monkeypatch
):
    base, out = tmp_path / "base", tmp_path / "more"
    with monkeypatch.context() as patch:
        patch.setenv("NST_VGG19_WEIGHTS", str(vgg_file))
        run(dataclasses.replace(settings, steps=2, extractor=VGG), photos, base)
    assert read_card(base)["recipe"]["extractor"]["network"] == "vgg19"
    save_image(tmp_path / "dots.png", scene(40, 44, seed=12))
    more = with_style(read_card(base), "dots", tmp_path / "dots.png")
    losses = run(dataclasses.replace(more, steps=12), photos, out, base=base, kept=True)
    assert losses[12] < losses[1]
    card = read_card(out)
    assert [style["name"] for style in card["styles"]] == ["night", "dots"]
    assert card["recipe"]["extractor"]["network"] == "lite"
