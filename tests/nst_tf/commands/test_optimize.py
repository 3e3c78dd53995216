"""`nst optimize` from the outside: files, log, metadata, interruption."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_tf.cli import main
from nst_tf.commands.optimize import GROUPS, Job, parse
from nst_tf.imaging.metadata import read_settings
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_dict
from nst_tf.settings.loss import ExtractorSettings, LossSettings
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.recipes import RECIPES
from tests.helpers import ROOT, scene

FLAGS = [
    "--size",
    "56",
    "--scales",
    "1",
    "--steps",
    "6",
    "--schedule",
    "auto=0",
    "--convention",
    "gatys-notebook",
    "--tv-weight",
    "5",
    "--style-layers",
    "block1_conv1",
    "block2_conv1",
    "--content-layers",
    "block2_conv2",
]

pytestmark = pytest.mark.usefixtures("random_vgg")


def optimize(pair, output, *flags):
    return main(["optimize", *map(str, pair), "-o", str(output), *FLAGS, *flags])


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_picture_a_log_and_nothing_else_remain(pair, tmp_path, capsys):
    out = tmp_path / "new folder" / "out.png"
    assert optimize(pair, out) == 0
    assert sorted(p.name for p in out.parent.iterdir()) == ["out.jsonl", "out.png"]
    assert load_image(out).pixels.shape == (40, 56, 3)
    *steps, saved = lines(out.with_suffix(".jsonl"))
    assert [line["evaluation"] for line in steps] == [1, 2, 3, 4, 5, 6]
    for line in steps:
        total = line["content"] + line["style"] + line["tv"]
        assert line["loss"] == pytest.approx(total)
    assert saved["event"] == "saved"
    assert saved["loss_saved"] == pytest.approx(saved["loss"], rel=0.2)
    assert "6 evaluations" in capsys.readouterr().out


def test_scales_that_are_too_small_for_a_pass_are_told(tmp_path, capsys):
    pair = [tmp_path / name for name in ("photo.png", "art.png")]
    for path in pair:
        save_image(path, scene(96, 128))
    for scales in ("2", "3", "20"):
        flags = ("--size", "128", "--scales", scales, "--steps", "1", "--overwrite")
        assert optimize(pair, tmp_path / "out.png", *flags) == 0
        log = lines(tmp_path / "out.jsonl")[:-1]
        assert len({line["width"] for line in log}) == 1
        said = f"1 of {scales} scales: at more the short side would have fewer than 64"
        assert (said in capsys.readouterr().err) == (scales != "2")


def test_swapping_the_arguments_swaps_the_roles(pair, tmp_path):
    assert optimize(pair[::-1], tmp_path / "out.png") == 0
    assert load_image(tmp_path / "out.png").pixels.shape == (56, 56, 3)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_like_repeats_a_picture_from_its_metadata(pair, tmp_path, ending):
    first, second = tmp_path / f"a.{ending}", tmp_path / "b.png"
    assert optimize(pair, first, "--style-weight", "77", "--seed", "5") == 0
    arguments = ["optimize", *map(str, pair), "-o", str(second), "--like", str(first)]
    assert main([*arguments, "--quiet"]) == 0
    one, other = read_settings(first), read_settings(second)
    assert one["settings"] == other["settings"]
    assert one["settings"]["loss"]["style_weight"] == 77
    assert one["content"]["name"] == "photo.png"
    if ending == "png":
        np.testing.assert_array_equal(
            load_image(first).pixels, load_image(second).pixels
        )


def test_flags_change_a_recipe():
    job, settings = parse(
        ["a", "b", "-o", "c.png", "--recipe", "gatys", "--steps", "7", "--constrained"]
    )
    assert job.output == Path("c.png")
    assert settings.steps == 7
    assert settings.constrained
    assert settings.history == RECIPES["gatys"].history


def test_help_shows_the_flags_to_know_first_and_every_flag_once(capsys):
    with pytest.raises(SystemExit, match="0"):
        parse(["--help"])
    said = capsys.readouterr().out
    groups = re.findall(r"^\W*([a-z ]+) options\W*$", said, re.MULTILINE)
    assert groups == list(GROUPS)
    first = said.partition("common options")[2].partition("schedule options")[0]
    assert len(re.findall(r"^\W*(?:-. \w+, )?--[a-z]", first, re.MULTILINE)) == 10
    fields = [
        field.name
        for cls in (Job, OptimizeSettings, LossSettings, ExtractorSettings)
        for field in dataclasses.fields(cls)
    ]
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(set(fields) - {"loss", "extractor"})


def test_alpha_is_kept(pair, tmp_path):
    content = tmp_path / "alpha.png"
    alpha = np.zeros((40, 56), "float32")
    alpha[:, 28:] = 1
    save_image(content, scene(40, 56), alpha=alpha)
    assert optimize((content, pair[1]), tmp_path / "out.png") == 0
    got = Image.open(tmp_path / "out.png")
    assert got.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(got)[..., 3], 255 * alpha)


def test_quiet_prints_nothing(pair, tmp_path, capfd):
    assert optimize(pair, tmp_path / "out.png", "--quiet") == 0
    captured = capfd.readouterr()
    assert captured.out == ""


def test_a_loss_that_is_not_finite_is_said_and_the_picture_kept(pair, tmp_path, capsys):
    flags = ["--style-weight", "1e30", "--learning-rate", "1e30", "--no-constrained"]
    assert optimize(pair, tmp_path / "out.png", *flags) == 2
    assert "stopped being finite" in capsys.readouterr().err
    assert load_image(tmp_path / "out.png").pixels.shape == (40, 56, 3)


def start(pair, output, *flags):
    command = [sys.executable, "-m", "nst_tf", "optimize", *map(str, pair)]
    command += ["-o", str(output), *FLAGS, "--checkpoint-every", "5", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )


def wait_for(path, process, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.02)


MANY = ("--steps", "400", "--quiet")


def test_kill_9_and_resume_give_the_bits_of_an_unbroken_run(pair, tmp_path):
    whole, broken = tmp_path / "whole.png", tmp_path / "broken.png"
    assert optimize(pair, whole, *MANY) == 0
    process = start(pair, broken, *MANY)
    wait_for(broken.with_suffix(".checkpoint.npz"), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not broken.exists()
    process = start(pair, broken, *MANY, "--resume")
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    np.testing.assert_array_equal(load_image(broken).pixels, load_image(whole).pixels)
    *steps, _ = lines(broken.with_suffix(".jsonl"))
    assert [line["evaluation"] for line in steps] == list(range(1, 401))
    *expected, _ = lines(whole.with_suffix(".jsonl"))
    assert [s["loss"] for s in steps] == [s["loss"] for s in expected]
    assert not broken.with_suffix(".checkpoint.npz").exists()


def test_a_mask_in_whose_place_the_picture_goes_stays_until_the_end(pair, tmp_path):
    out = tmp_path / "mask.png"
    save_image(out, np.ones((40, 56, 3), "float32"))
    before, named = out.read_bytes(), ("--masks", str(out), "--overwrite", *MANY)
    process = start(pair, out, *named)
    wait_for(out.with_suffix(".checkpoint.npz"), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors.decode()
    assert out.read_bytes() == before
    process = start(pair, out, *named, "--resume")
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    assert out.read_bytes() != before


def test_a_weight_that_was_still_looked_for_is_not_repeated(pair, tmp_path):
    out = tmp_path / "out.png"
    flags = ["--size", "56", "--scales", "1", "--steps", "400", "--quiet"]
    flags += ["--network", "vgg19", "--strength", "0.4"]
    words = [sys.executable, "-m", "nst_tf", "optimize", *map(str, pair)]
    with subprocess.Popen([*words, "-o", str(out), *flags], cwd=ROOT) as process:
        wait_for(out.with_suffix(".checkpoint.npz"), process)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    again = parsed("--like", out)
    assert again.searches
    assert again.loss.strength == 0.4


def test_ctrl_c_saves_what_is_there_and_resume_goes_on(pair, tmp_path):
    out = tmp_path / "out.png"
    process = start(pair, out, *MANY)
    wait_for(out.with_suffix(".checkpoint.npz"), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert b"--resume" in errors
    assert b"Traceback" not in errors
    assert load_image(out).pixels.shape == (40, 56, 3)
    process = start(pair, out, *MANY)  # Forgotten: the state must not be lost.
    _, errors = process.communicate()
    assert process.returncode == 2
    assert b"--resume" in errors
    process = start(pair, out, *MANY, "--resume")
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()


def test_previews_are_written_on_the_way(pair, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "nst_tf.imaging.write.save_image", lambda path, *_, **__: seen.append(path.name)
    )
    # The result is not written either, so measuring it fails.
    assert optimize(pair, tmp_path / "out.png", "--preview-every", "2") == 2
    assert seen == ["out.preview.png"] * 3 + ["out.png"]


def test_a_photograph_named_like_a_preview_is_no_preview(pair, tmp_path):
    photo, out = tmp_path / "out.preview.png", tmp_path / "out.png"
    photo.write_bytes(pair[0].read_bytes())
    assert optimize((photo, pair[1]), out) == 0
    assert photo.read_bytes() == pair[0].read_bytes()
    assert optimize((photo, pair[1]), out, "--preview-every", "2") == 2
    assert photo.read_bytes() == pair[0].read_bytes()


def parsed(*flags):
    return parse(["photo.png", "painting.png", "-o", "out.png", *map(str, flags)])[1]


def test_a_strength_takes_the_place_of_what_a_recipe_weighs():
    gatys = RECIPES["gatys"]
    settings = parsed("--recipe", "gatys", "--strength", "0.7")
    assert settings.loss.content_error == pytest.approx(0.65)
    assert settings.loss.tv_weight == LossSettings().tv_weight
    assert settings.steps == gatys.steps
    assert parsed("--recipe", "gatys") == gatys


def test_a_style_weight_or_a_convention_is_no_budget():
    assert parsed("--style-weight", "4").loss.content_error is None
    assert parsed("--convention", "ng-course").loss.content_error is None
    assert parsed().loss.content_error == pytest.approx(0.45)
    with pytest.raises(InputError, match="--strength, which finds the weights, or"):
        parsed("--strength", "0.7", "--weight-changes", "0", "1", "5", "0")


def test_like_repeats_the_weights_found_and_another_strength_looks_for_its_own(
    tmp_path,
):
    found = dataclasses.replace(
        OptimizeSettings(loss=LossSettings(strength=0.3)),
        weight_changes=(0.0, 1.0, 2.5, 1e-5, 12.0, 1.0, 3.0, 1e-5),
    )
    path = tmp_path / "like.png"
    save_image(path, scene(20, 20), settings={"settings": to_dict(found)})
    assert parsed("--like", path) == found
    other = parsed("--like", path, "--strength", "0.6")
    assert other.searches
    assert other.loss.content_error == pytest.approx(0.55)
    weighed = parsed("--like", path, "--style-weight", "4")
    assert weighed.loss.term_weights["style"] == 4
    assert not weighed.weight_changes
    smoother = parsed("--like", path, "--tv-weight", "0.1")
    assert smoother.searches
    assert smoother.loss == dataclasses.replace(found.loss, tv_weight=0.1)


def test_a_doodle_keeps_nothing_of_itself_unless_it_is_told_to(tmp_path):
    found = dataclasses.replace(
        OptimizeSettings(size=96), weight_changes=(0.0, 1.0, 2.5, 1e-5)
    )
    path = tmp_path / "like.png"
    save_image(path, scene(20, 20), settings={"settings": to_dict(found)})
    doodle = parsed("--like", path, "--style-maps", "map.png")
    assert doodle.loss.term_weights["content"] == 0
    assert not doodle.weight_changes
    assert (doodle.init, doodle.size) == ("noise", 96)
    told = parsed("--style-maps", "map.png", "--strength", "0.3", "--init", "content")
    assert told.loss.content_error == pytest.approx(0.27)
    assert told.init == "content"
    weighed = ("--weight-changes", "0", "0", "5", "0", "--style-maps", "map.png")
    assert parsed(*weighed).weight_changes == (0, 0, 5, 0)
    changed = dataclasses.replace(doodle, weight_changes=(0.0, 1.0, 5.0, 0.0))
    save_image(path, scene(20, 20), settings={"settings": to_dict(changed)})
    assert parsed("--like", path, "--style-maps", "map.png") == changed
