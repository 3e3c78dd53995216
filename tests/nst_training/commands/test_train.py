"""`nst train` and `nst evaluate` from the outside."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from nst_tf import build_network
from nst_tf.cli import main
from nst_tf.commands.flags import read_flags
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.network.vectors import own_and_styles, vectors_of
from nst_tf.settings.train import with_style
from nst_training.commands.train import FLAGS, Job
from nst_training.growing import Base
from tests.helpers import PYTHONPATH, RECIPE, ROOT, scene, write_recipe

pytestmark = pytest.mark.usefixtures("random_vgg")


@pytest.fixture
def recipe(tmp_path):
    return write_recipe(tmp_path, photos=4)


def arguments(recipe, out, *flags):
    photos = str(recipe.parent / "photos")
    return ["train", str(recipe), "--photos", photos, "-o", str(out), *flags]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_model_a_log_and_previews_then_a_scorecard(recipe, tmp_path, capsys):
    broken = tmp_path / "photos" / "broken.jpg"
    broken.write_text("text")
    out = tmp_path / "new" / "model"
    flags = ("--preview-every", "3", "--log-every", "2", "--steps", "8")
    assert main(arguments(recipe, out, *flags)) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "log.jsonl",
        "model.json",
        "model.keras",
        "previews",
    ]
    said = capsys.readouterr()
    assert "8 steps" in said.out
    assert "1 pictures could not be read" in said.err
    log = lines(out / "log.jsonl")
    steps = [line["step"] for line in log if "loss" in line]
    assert steps == [1, 2, 4, 6, 8]
    (event,) = [line for line in log if "event" in line]
    assert "broken.jpg" in event["why"]

    broken.unlink()
    card = tmp_path / "card.json"
    scoring = ["evaluate", str(out), "--photos", str(tmp_path / "photos")]
    scoring += ["--recipe", str(recipe), "-o", str(card), "--size", "64"]
    assert main([*scoring, "--limit", "2"]) == 0
    assert len(json.loads(card.read_text())["pictures"]) == 4
    assert load_image(card.with_suffix(".png")).pixels.shape == (4 * 32, 64, 3)
    said = capsys.readouterr().out
    assert "evaluations of L-BFGS" in said
    assert "night: content" in said


@pytest.mark.parametrize(
    ("photos", "backend"), [("empty", "tensorflow"), ("tfds:nothing_there", "jax")]
)
def test_quiet_says_an_error_and_no_line_of_tensorflow(
    recipe, tmp_path, photos, backend
):
    (tmp_path / "empty").mkdir()
    photos = photos if ":" in photos else str(tmp_path / photos)
    words = ["train", str(recipe), "--photos", photos, "--quiet"]
    environment = {k: x for k, x in os.environ.items() if not k.startswith("TF_")}
    environment["KERAS_BACKEND"] = backend
    done = subprocess.run(
        [sys.executable, "-m", "nst_tf", *words, "-o", str(tmp_path / "out")],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("nst: error: ")
    assert done.stderr.count("\n") == 1


def test_quiet_says_nothing_on_jax(recipe, tmp_path):
    photos = str(recipe.parent / "photos")
    words = ["train", str(recipe), "--photos", photos, "--quiet", "--steps", "1"]
    environment = {k: x for k, x in os.environ.items() if not k.startswith("TF_")}
    environment["KERAS_BACKEND"] = "jax"
    done = subprocess.run(
        [sys.executable, "-m", "nst_tf", *words, "-o", str(tmp_path / "out")],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_folder_the_recipe_names_it_and_tensorboard_gets_curves(
    recipe, tmp_path, monkeypatch, capsys
):
    import tensorflow as tf
    from tensorflow.core.util import event_pb2

    monkeypatch.chdir(tmp_path)
    command = ["train", recipe.name, "--photos", "photos", "--steps", "4"]
    command += ["--log-every", "2", "--preview-every", "3"]
    assert main([*command, "--tensorboard"]) == 0
    out = Path("tiny")
    model = out / "model.keras"
    assert f"{model}: 4 steps" in capsys.readouterr().out
    before = model.read_bytes()
    assert main(command) == 2
    assert "tiny holds a model already: name another" in capsys.readouterr().err
    assert model.read_bytes() == before
    assert main([*command, "--resume"]) == 0
    said = capsys.readouterr().err
    assert "tiny is complete" in said
    assert "--base tiny, with another -o, trains it on" in said

    (path,) = (out / "tensorboard").iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        event = event_pb2.Event.FromString(record)
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value
    assert found.keys() == {
        *("loss/total", "loss/content", "loss/style", "loss/tv", "loss/temporal"),
        *("loss/tone", "learning_rate", "preview"),
    }
    log = {line["step"]: line["loss"] for line in lines(out / "log.jsonl")}
    curve = {step: v.simple_value for step, v in found["loss/total"].items()}
    assert curve.keys() == {1, 2, 3, 4}
    assert {step: curve[step] for step in log} == pytest.approx(log)
    assert found["preview"].keys() == {3, 4}
    sheet = tf.io.decode_png(found["preview"][3].image.encoded_image_string).numpy()
    saved = load_image(out / "previews" / "000003.png").pixels
    np.testing.assert_allclose(sheet / 255, saved, atol=1.5 / 255)

    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert main(arguments(recipe, tmp_path / "other", "--tensorboard")) == 2
    assert "nst-tf[tensorboard]" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_kill_and_resume_give_the_bits_of_an_unbroken_run(recipe, tmp_path):
    assert main(arguments(recipe, tmp_path / "whole", "--preview-every", "0")) == 0
    out = tmp_path / "killed"
    flags = ("--preview-every", "0", "--checkpoint-every", "2")
    command = [sys.executable, "-m", "nst_tf", *arguments(recipe, out, *flags)]
    process = subprocess.Popen(
        [*command, "--log-every", "1"],
        cwd=ROOT,
        env=os.environ,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        log = out / "log.jsonl"
        if log.exists() and len(log.read_text().splitlines()) >= 3:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    process.wait()
    assert main(arguments(recipe, out, *flags, "--resume")) == 0
    one, other = (
        keras.saving.load_model(folder / "model.keras").get_weights()
        for folder in (tmp_path / "whole", out)
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_style_is_added_from_the_command_line(recipe, tmp_path, capsys):
    flags = ("--preview-every", "0", "--steps", "2", "--quiet")
    assert main(arguments(recipe, tmp_path / "base", *flags)) == 0
    save_image(tmp_path / "dots.png", scene(40, 44, seed=12))
    command = ["train", "--photos", str(tmp_path / "photos"), *flags]
    command += ["-o", str(tmp_path / "more"), "--base", str(tmp_path / "base")]
    assert main([*command, "--add-style", f"dots={tmp_path / 'dots.png'}"]) == 0
    card = json.loads((tmp_path / "more" / "model.json").read_text())
    assert [style["name"] for style in card["styles"]] == ["night", "dots"]
    # The palette counts by default; what was trained without it goes on without it.
    assert card["recipe"]["loss"]["palette"] == 1.0
    older = json.loads(json.dumps(card))
    del older["recipe"]["loss"]["palette"]
    assert with_style(older, "again", tmp_path / "dots.png").loss.palette == 0.0
    older["recipe"] |= {"styles": [], "paintings": str(tmp_path / "photos")}
    tuned = with_style(older, "own", tmp_path / "dots.png")
    assert tuned.loss.palette == 1.0
    # Of a painting that is there already, it begins at the style that it has.
    for name, begins in (("night", 0), ("dots", None)):
        settings = with_style(card, "again", tmp_path / f"{name}.png")
        if begins is None:
            save_image(tmp_path / f"{name}.png", scene(40, 44, seed=13))
        base = Base(tmp_path / "more", settings, kept=True)
        network = build_network(settings.network(**base.form))
        base.start(network)
        rows = own_and_styles(network)[1]
        expected = rows[0] if begins == 0 else vectors_of(base.model.network).mean(0)
        np.testing.assert_allclose(rows[2], expected, atol=1e-6)
    for wrong, message in (
        (["--add-style", "dots"], "takes NAME=IMAGE"),
        (["--add-style", f"night={tmp_path / 'dots.png'}"], "two styles have one name"),
        ([], "give a recipe"),
    ):
        assert main([*command, *wrong]) == 2
        assert message in capsys.readouterr().err


def test_a_painting_is_a_recipe_too_and_a_sweep_multiplies_it(recipe, tmp_path):
    painting = tmp_path / "night.png"
    flags = ("--steps", "1", "--size", "32", "--width", "0.125", "--preview-every", "0")
    flags += ("--content-layers", "block2_conv2", "--style-layers", "block1_conv1")
    flags += ("--quiet", "--precision", "float32", "--sweep", "0.5", "2")
    flags += ("--convention", "johnson")
    assert main(arguments(painting, tmp_path / "out", *flags)) == 0
    card = json.loads((tmp_path / "out" / "model.json").read_text())
    assert card["recipe"]["loss"]["palette"] == 0.0  # As published.
    assert [s["name"] for s in card["styles"]] == ["night-x0_5", "night-x2"]


def test_an_unfinished_run_is_not_overwritten_by_mistake(recipe, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "state.npz").write_bytes(b"something")
    assert main(arguments(recipe, tmp_path / "out")) == 2
    assert "add --resume to finish it" in capsys.readouterr().err
    assert main(arguments(recipe, tmp_path / "out", "--resume")) == 2
    assert "is no usable checkpoint" in capsys.readouterr().err
    assert (tmp_path / "out" / "state.npz").read_bytes() == b"something"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps = 6", "stps = 6", "did you mean steps?"),
        ("night.png", "none.png", "there is no file"),
        ("block2_conv2", "block9_conv2", "no layers"),
        ("width = 0.125", "width = 8.0", "width must be in"),
    ],
)
def test_recipes_that_do_not_work_are_refused(
    recipe, tmp_path, capsys, old, new, message
):
    recipe.write_text(RECIPE.replace(old, new))
    assert main(arguments(recipe, tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize("place", [0, 2, 3, 5])
def test_the_recipe_may_stand_anywhere(recipe, tmp_path, place):
    words = ["--photos", "dir.png", "--quiet", "-o", "out", "--style-layers", "a", "b"]
    words.insert(place, str(recipe))
    job, settings = read_flags(Job, words, **FLAGS)
    assert job.recipe == recipe
    assert job.photos == "dir.png"
    assert settings.name == "tiny"
    assert settings.loss.style_layers == ("a", "b")


def test_photographs_that_are_not_there_are_refused(recipe, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for photos, message in (
        (tmp_path / "nowhere", "there is no folder"),
        (tmp_path / "empty", "holds no image files"),
    ):
        command = ["train", str(recipe), "--photos", str(photos)]
        assert main([*command, "-o", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err


def test_folders_of_broken_files_are_refused_before_anything_is_built(
    recipe, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("nst_training.train.Objectives", None)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_text("text")
    command = ["train", str(recipe), "--photos", str(tmp_path / "bad")]
    assert main([*command, "-o", str(tmp_path / "out"), "--quiet"]) == 2
    assert "none of 1 photographs can be used" in capsys.readouterr().err


def test_evaluation_refuses_what_it_cannot_use(recipe, tmp_path, capsys):
    photos = str(tmp_path / "photos")
    command = ["evaluate", str(tmp_path), "--photos", photos, "--recipe", str(recipe)]
    assert main([*command, "-o", str(tmp_path / "card.txt")]) == 2
    assert "must end in .json" in capsys.readouterr().err
    assert main([*command, "-o", str(tmp_path / "card.json")]) == 2
    assert "holds no trained model" in capsys.readouterr().err
    state = tmp_path / "card.part.json"
    state.write_text("hours of work")
    assert main([*command, "-o", str(tmp_path / "card.json")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"an interrupted run left {state}: add --resume to finish it" in said
    assert state.read_text() == "hours of work"
