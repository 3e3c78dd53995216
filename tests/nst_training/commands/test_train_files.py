"""`nst train` and its files: what it reads is never lost, and named rightly."""

import dataclasses
import json
import os

import numpy as np
import pytest

from nst_tf.cli import main
from nst_tf.commands.flags import read_flags
from nst_tf.imaging.folder import Folder
from nst_tf.imaging.write import save_image
from nst_tf.places import held
from nst_tf.settings.train import StyleSettings, TrainSettings, style_name
from nst_training.commands.train import FLAGS, Job
from nst_training.remarks import remarks
from nst_training.train import train as run
from tests.helpers import Steps, scene, write_recipe

TINY = ("--steps", "1", "--size", "32", "--width", "0.125", "--preview-every", "0")
TINY += ("--content-layers", "block2_conv2", "--style-layers", "block1_conv1")
TINY += ("--precision", "float32")


@pytest.fixture
def recipe(tmp_path):
    return write_recipe(tmp_path, photos=2)


def train(recipe, out, *flags):
    photos = recipe.parent / "photos"
    words = ("train", recipe, "--photos", photos, "-o", out, "--network", "lite")
    words += flags
    return main([str(word) for word in words])


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Starry Night (1889), van Gogh", "starry_night_1889_van_gogh"),
        ("Mädchen mit Perle", "madchen_mit_perle"),
        ("the-scream__2", "the-scream_2"),
        ("星月夜", "style"),
        ("...", "style"),
        ("IMG 0001", "img_0001"),
    ],
)
def test_any_file_name_makes_a_legal_style_name(given, name):
    assert style_name(given) == name


def test_a_downloaded_painting_trains_under_the_name_of_its_file(recipe, tmp_path):
    painting = tmp_path / "Starry Night (1889), van Gogh.jfif"
    save_image(painting, scene(48, 48, seed=7))
    assert train(painting, tmp_path / "out", *TINY, "--quiet") == 0
    card = json.loads((tmp_path / "out" / "model.json").read_text())
    assert [s["name"] for s in card["styles"]] == ["starry_night_1889_van_gogh"]


def test_a_painting_is_known_by_its_bytes_whatever_it_is_called(tmp_path):
    save_image(tmp_path / "a.png", scene(48, 48))
    painting = (tmp_path / "a.png").rename(tmp_path / "wave.download")
    words = [str(painting), "--photos", str(tmp_path), "-o", "out"]
    _, settings = read_flags(Job, words, **FLAGS)
    assert settings.styles[0].image == painting
    assert settings.styles[0].name == "wave"


def test_a_finished_model_is_replaced_only_on_request(recipe, tmp_path, capsys):
    out = tmp_path / "out"
    assert train(recipe, out, "--steps", "1", "--preview-every", "0", "--quiet") == 0
    before = tree(out)
    assert train(recipe, out, "--steps", "1") == 2
    assert "out holds a model already" in capsys.readouterr().err
    painting = tmp_path / "night.png"
    base = ("train", "--add-style", f"new={painting}", "--base", out, "-o", out)
    base += ("--photos", tmp_path / "photos")
    for flags in ((), ("--overwrite",)):
        assert main([str(word) for word in (*base, *flags)]) == 2
    assert tree(out) == before
    (tmp_path / "photos" / "0.png").unlink()
    (tmp_path / "photos" / "1.png").unlink()  # Asked so, it gets as far as these.
    assert train(recipe, out, "--overwrite") == 2
    assert "holds no image files" in capsys.readouterr().err
    assert tree(out) == before


def test_two_trainings_into_one_folder_the_second_is_told(recipe, tmp_path, capsys):
    with held(tmp_path / "out", folder=True):
        assert train(recipe, tmp_path / "out") == 2
    assert f"written by process {os.getpid()}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_painting_of_250_to_1_is_refused_as_nst_optimize_does(recipe, capsys):
    save_image(recipe.parent / "night.png", scene(16, 4000))
    assert train(recipe, recipe.parent / "out") == 2
    said = capsys.readouterr().err
    assert "would be 512x2 pixels; each side needs 16" in said
    assert "choose a larger size or crop the image" in said


def test_what_its_user_may_not_have_meant_is_said(recipe, tmp_path, capsys):
    from nst_tf.imaging.folder import Folder
    from nst_training.settings import read_recipe

    flat = 0.5 + 0.001 * np.random.default_rng(0).standard_normal((48, 48, 3))
    save_image(tmp_path / "night.png", flat)
    (tmp_path / "photos" / "notes.txt").touch()
    (tmp_path / "photos" / "._0.png").touch()
    settings = read_recipe(recipe, size=52)
    first, second = remarks(settings, Folder(tmp_path / "photos"))
    assert "the painting of night is almost flat" in first
    assert "2 of " in second
    assert "smaller than the crops of 52 pixels" in second
    out = tmp_path / "out"
    assert (
        train(recipe, out, "--steps", "1", "--size", "52", "--preview-every", "0") == 0
    )
    assert "1 .txt" in (said := capsys.readouterr().err)
    assert "almost flat" in said
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    notes = [line["why"] for line in log if line.get("event") == "note"]
    assert notes == [first, second]


def test_a_step_that_memory_may_not_hold_is_said(recipe, tmp_path, monkeypatch, capsys):
    from nst_training import remarks as module

    monkeypatch.setattr(module, "has_gpu_driver", lambda: False)
    style = StyleSettings(name="night", image=recipe.parent / "night.png")
    settings = TrainSettings(styles=(style,), batch=8, size=256, width=1.0)
    for free, choice in (
        (2.0e9, "--batch 6"),
        (0.5e9, "--batch 1"),
        (0.4e9, "--batch 1 and a smaller --size"),
    ):
        monkeypatch.setattr(module, "free_memory", lambda free=free: free)
        (said,) = module.memory_remarks(settings)
        assert said.startswith("training takes about 2.3 GB of memory more, and ")
        assert f" {free / 1e9} GB are free" in said
        assert said.endswith(f"choose {choice}")
    (said,) = module.memory_remarks(dataclasses.replace(settings, batch=1, size=1024))
    assert said.endswith("choose a smaller --size")
    for enough in (3e9, None):
        monkeypatch.setattr(module, "free_memory", lambda enough=enough: enough)
        assert module.memory_remarks(settings) == []
    monkeypatch.setattr(module, "free_memory", lambda: 1)
    flags = ("--steps", "1", "--preview-every", "0")
    assert train(recipe, tmp_path / "out", *flags) == 0
    assert "GB are free: if the system ends the run" in capsys.readouterr().err
    log = (tmp_path / "out" / "log.jsonl").read_text()
    assert "training takes about" in log
    monkeypatch.setattr(module, "has_gpu_driver", lambda: True)
    assert module.memory_remarks(settings) == []


def test_photographs_that_are_all_of_other_kinds_are_counted(recipe, tmp_path, capsys):
    for path in (tmp_path / "photos").iterdir():
        path.rename(path.with_suffix(".gif"))
    assert train(recipe, tmp_path / "out") == 2
    assert "passed over 2 .gif" in capsys.readouterr().err


def test_what_a_training_writes_among_its_photographs_is_none(recipe, tmp_path):
    photos = tmp_path / "photos"
    out = photos / "out"
    flags = (*TINY, "--steps", "4", "--preview-every", "1", "--quiet")
    words = (recipe, "--photos", photos, "-o", out, "--network", "lite", *flags)
    _, settings = read_flags(Job, [str(word) for word in words], **FLAGS)
    before = Folder(str(photos))
    run(settings, before, str(out), observer=Steps(2), preview_every=1)
    assert len(Folder(photos).files) == len(before.files) + 2
    assert train(recipe, out, *flags, "--resume") == 0
    assert json.loads((out / "model.json").read_text())["step"] == 4


def test_previews_in_the_folder_of_the_photographs_are_none(recipe, tmp_path):
    out = tmp_path / "photos"
    flags = (*TINY, "--steps", "4", "--preview-every", "1", "--quiet")
    words = (recipe, "--photos", out, "-o", out, "--network", "lite", *flags)
    _, settings = read_flags(Job, [str(word) for word in words], **FLAGS)
    before = Folder(out)
    run(settings, before, out, observer=Steps(2), preview_every=1)
    assert len(Folder(out).files) == len(before.files) + 2
    assert train(recipe, out, *flags, "--resume") == 0
    assert json.loads((out / "model.json").read_text())["step"] == 4
