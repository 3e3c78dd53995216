"""What `nst` says, and leaves behind, when it is given something it can't use."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from nst_tf import cli
from nst_tf.imaging.write import save_image
from nst_tf.settings.recipes import RECIPES
from tests.helpers import PYTHONPATH, scene

SMALL = ("--size", "32", "--steps", "2", "--scales", "1", "--quiet")


def run(*arguments):
    """Return the exit code, however the program hands it over."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as left:
        return left.code


def below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def plain(text):
    """Undo the frames and line breaks that tyro draws around its messages."""
    return " ".join("".join(c for c in text if c not in "╭╮╰╯─│").split())


@pytest.fixture
def refused(pair, tmp_path, capsys):
    """Run `nst optimize` on arguments it must refuse; return what it says."""

    def check(*arguments, content=None, style=None, output=None, log=False):
        content, style = content or pair[0], style or pair[1]
        output = output or tmp_path / "out.png"
        before = below(tmp_path)
        code = run("optimize", content, style, "-o", output, *SMALL, *arguments)
        said = capsys.readouterr()
        assert code == 2
        assert "Traceback" not in said.err
        assert said.out == ""
        # The log may have been begun where the fault shows only in the run.
        assert below(tmp_path) - before <= ({"out.jsonl"} if log else set())
        return plain(said.err)

    return check


def write_missing(path):
    pass


def write_empty(path):
    path.touch()


def write_text(path):
    path.write_text("This is no picture.\n" * 20)


def write_cut(path):
    save_image(path, scene(64, 64))
    path.write_bytes(path.read_bytes()[:-600])


def write_dot(path):
    Image.new("RGB", (1, 1)).save(path)


def write_header(path):
    Image.new("RGB", (32, 32)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 20000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


def write_gif(path):
    images = [Image.fromarray(np.full((32, 32), k, "uint8")) for k in (0, 255)]
    images[0].save(path, save_all=True, append_images=images[1:])


def write_folder(path):
    path.mkdir()


BAD_PICTURES = {
    "missing.jpg": (write_missing, "there is no file"),
    "empty.jpg": (write_empty, "is empty"),
    "text.jpg": (write_text, "is not an image"),
    "cut.jpg": (write_cut, "is damaged"),
    "dot.png": (write_dot, "has 1x1 pixels"),
    "huge.png": (write_header, "is too large"),
    "moving.gif": (write_gif, "is a GIF file"),
    "folder.jpg": (write_folder, "is a folder"),
}
"""File names, what writes them, and what the refusal says."""


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_content_that_is_no_picture_is_refused(refused, tmp_path, name):
    write, reason = BAD_PICTURES[name]
    write(tmp_path / name)
    said = refused(content=tmp_path / name)
    assert (
        f"{tmp_path / name} {reason}" in said or f"{reason} {tmp_path / name}" in said
    )


@pytest.mark.parametrize("name", ["missing.jpg", "cut.jpg"])
def test_a_style_that_is_no_picture_is_refused(refused, tmp_path, name):
    write, reason = BAD_PICTURES[name]
    write(tmp_path / name)
    said = refused(style=tmp_path / name)
    assert str(tmp_path / name) in said
    assert reason in said


@pytest.mark.parametrize("name", ["out.gif", "out", "out.png.txt"])
def test_an_output_of_unknown_format_is_refused(refused, tmp_path, name):
    assert ".jpg, .jpeg, .png" in refused(output=tmp_path / name)


def test_a_picture_too_long_for_its_format_is_refused_before_any_work(
    refused, tmp_path
):
    save_image(tmp_path / "long.png", np.full((16, 2000, 3), 0.5, "float32"))
    said = refused(
        *("--size", "16384"), content=tmp_path / "long.png", output=tmp_path / "o.webp"
    )
    assert "16384x131 pixels, and .webp holds 16383 a side" in said


def test_an_output_that_is_a_folder_is_refused(refused, tmp_path):
    (tmp_path / "out.png").mkdir()
    assert "is a folder" in refused(output=tmp_path / "out.png")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_an_output_where_even_root_can_not_write_is_refused(refused):
    said = refused(output=Path("/proc/nope/x.png"))
    assert "can't write to the folder of /proc/nope/x.png" in said


def test_an_output_below_a_regular_file_is_refused(refused, tmp_path):
    (tmp_path / "file.txt").write_text("text")
    assert "can't write" in refused(output=tmp_path / "file.txt" / "x.png")


def test_names_that_no_file_can_have_are_refused(tmp_path, capsys):
    name = tmp_path / f"{'a' * 300}.jpg"
    for arguments in (("stylize", name), ("export", name), ("styles", "--model", name)):
        output = () if arguments[0] == "styles" else ("-o", tmp_path / "out")
        assert run(*arguments, *output) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f"can't look at {name}: " in said


def test_what_lies_in_a_folder_that_may_not_be_entered_is_refused(pair, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    rights = "-dac_override,-dac_read_search"  # By which an administrator may.
    words = [sys.executable, "-m", "nst_tf", "stylize", "--style", "udnie"]
    if os.geteuid() == 0:
        words = ["setpriv", f"--inh-caps={rights}", f"--bounding-set={rights}", *words]
    for arguments in (
        (closed / "a.jpg", "-o", tmp_path / "out.jpg"),
        (pair[0], "-o", closed / "out.jpg"),
        (pair[0], "-o", tmp_path / "out.jpg", "--model", closed / "a.tflite"),
    ):
        ended = subprocess.run(
            [*words, *arguments],
            env={**os.environ, "PYTHONPATH": PYTHONPATH},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 2
        assert str(closed) in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_a_bad_output_is_found_before_a_bad_content(refused, tmp_path):
    said = refused(content=tmp_path / "missing.jpg", output=tmp_path / "out.gif")
    assert "out.gif" in said


# Flags.


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--style-weight", "-1"), "style_weight must be at least 0, got -1"),
        (("--content-weight", "nan"), "content_weight must be a finite number"),
        (("--tv-weight", "inf"), "tv_weight must be a finite number"),
        (("--style-weight", "heavy"), "heavy"),
        (("--size", "4"), "size must be at least 16, got 4"),
        (("--steps", "0"), "steps must be at least 1, got 0"),
        (("--style-layer-weights", "1"), "style_layer_weights needs 5 numbers"),
        (("--learning-rate", "0"), "learning_rate must exceed 0"),
        (("--optimizer", "sgd"), "sgd"),
        (("--preview-every", "-1"), "preview_every must be at least 0"),
        (("--max-megapixels", "inf"), "max_megapixels must be a finite number"),
        (("--no-such-flag", "1"), "--no-such-flag"),
        (("--like", "x.png", "--recipe", "gatys"), "--like or --recipe, not both"),
        (("--like",), "--like"),
        (("--recipe",), "--recipe"),
    ],
)
def test_a_flag_that_does_not_fit_is_refused_by_name(refused, flags, reason):
    assert reason in refused(*flags)


def test_an_unknown_recipe_is_refused_with_the_known_ones(refused):
    said = refused("--recipe", "gaty")
    assert "no recipe gaty" in said
    assert all(name in said for name in RECIPES)


def test_settings_of_a_picture_without_any_are_refused(refused, pair):
    said = refused("--like", pair[0])
    assert f"{pair[0]} carries no settings" in said


@pytest.mark.parametrize("name", ["missing.jpg", "text.jpg", "huge.png"])
def test_settings_of_a_file_that_is_no_picture_are_refused(refused, tmp_path, name):
    BAD_PICTURES[name][0](tmp_path / name)
    assert str(tmp_path / name) in refused("--like", tmp_path / name)


def test_settings_of_another_version_are_refused(refused, tmp_path):
    path = tmp_path / "other.png"
    save_image(path, scene(32, 32), settings={"settings": {"colour": "blue"}})
    assert "do not fit this version" in refused("--like", path)


@pytest.mark.parametrize("given", [{"made": "by others"}, {"settings": [1]}])
def test_settings_of_another_program_are_refused(refused, tmp_path, given):
    save_image(tmp_path / "other.png", scene(32, 32), settings=given)
    # With a flag that does not fit, so that no run starts.
    said = refused("--like", tmp_path / "other.png", "--size", "4")
    assert "other.png" in said


def test_a_missing_command_is_refused(capsys):
    assert run() == 2
    said = capsys.readouterr()
    assert "COMMAND" in said.err
    assert said.out == ""


@pytest.mark.parametrize("arguments", [("paint",), ("--no-such-flag",)])
def test_an_unknown_command_is_refused(capsys, arguments):
    assert run(*arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_missing_file_names_are_refused(capsys):
    assert run("optimize") == 2
    said = plain(capsys.readouterr().err)
    assert "The photograph. (required)" in said
    assert "The painting. (required)" in said
    assert "--output" in said


# Layers, weights and the start, which are read when the run begins.


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize("flag", ["--style-layers", "--content-layers"])
def test_an_unknown_layer_is_refused_with_the_known_ones(refused, flag):
    said = refused(flag, "nope", log=True)
    assert "no layers ['nope']" in said
    assert "block1_conv1" in said
    assert "block5_conv4" in said


def write_other_hdf5(path, _):
    with h5py.File(path, "w") as file:
        file["something"] = np.zeros(3)


def write_text_hdf5(path, _):
    path.write_text("This is no weight file.\n")


def write_cut_hdf5(path, whole):
    with whole.open("rb") as file:
        path.write_bytes(file.read(1 << 20))


def write_no_hdf5(path, _):
    pass


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (write_other_hdf5, "does not hold VGG19 weights: block1_conv1"),
        (write_text_hdf5, "is not a readable HDF5 file"),
        (write_cut_hdf5, "is not a readable HDF5 file"),
        (write_no_hdf5, "there is no weight file"),
    ],
)
def test_a_wrong_weight_file_is_refused(refused, tmp_path, vgg_file, write, reason):
    path = tmp_path / "weights.h5"
    write(path, vgg_file)
    said = refused("--vgg-weights", path, log=True)
    assert str(path) in said
    assert reason in said


def test_weights_of_the_other_network_are_refused(refused, vgg_file):
    said = refused("--vgg-weights", vgg_file, "--network", "vgg16", log=True)
    assert "VGG16" in said


@pytest.mark.usefixtures("random_vgg")
@pytest.mark.parametrize("init", ["missing.png", "contents"])
def test_a_start_that_is_no_file_is_refused(refused, init):
    said = refused("--init", init, log=True)
    assert (
        f"init must be content, noise, style, one-pass or an image file; got {init}"
        in said
    )


@pytest.mark.usefixtures("random_vgg")
def test_a_start_that_is_no_picture_is_refused(refused, tmp_path):
    write_text(tmp_path / "start.jpg")
    said = refused("--init", tmp_path / "start.jpg", log=True)
    assert f"{tmp_path / 'start.jpg'} is not an image" in said


@pytest.mark.parametrize("flags", [("--style-layers", "nope"), ("--vgg-weights", "no")])
def test_a_refused_run_keeps_the_log_of_an_earlier_one(refused, tmp_path, flags):
    log = tmp_path / "out.jsonl"
    log.write_text('{"evaluation": 1}\n')
    refused(*flags)
    assert log.read_text() == '{"evaluation": 1}\n'
