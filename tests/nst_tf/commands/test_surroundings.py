"""Commands where a user's machine is set up otherwise: Keras, terminal, processor."""

import dataclasses
import errno
import json
import os
import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest

from nst_tf.cli import main
from nst_tf.commands.pipes import piped
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError
from tests.helpers import BOTH_NETWORKS, PYTHONPATH, ROOT, SLOW, scene, write_recipe

OPTIMIZE = ("--size", "32", "--scales", "1", "--steps", "2", "--schedule", "whole")
LAYERS = ("--style-layers", "block1_conv1", "--content-layers", "block1_conv2")
LAYERS += ("--network", "lite")
OPTIMIZE += LAYERS


def nst(*words, **environment):
    """Run `nst` in a process of its own; return it when it has ended well."""
    done = subprocess.run(
        [sys.executable, "-m", "nst_tf", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, **environment},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done


STYLIZE = "stylize photo.png --style udnie --overwrite"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (f"{STYLIZE} -o out.png >&-", 0, ""),
        (f"{STYLIZE} -o out.png >&- 2>&- <&-", 0, ""),
        (f"{STYLIZE} -o - >&-", 2, "standard output is closed: send it to a file"),
        ("stylize - --style udnie -o out.png <&-", 2, "standard input is closed"),
        ("styles >&-", 0, ""),
        ("stylize --help >&-", 0, ""),
        ("styles > /dev/full", 2, "can't print: No space left on device"),
        (f"{STYLIZE} -o out.png > /dev/full", 2, "can't print: No space left"),
        (f"{STYLIZE} -o - > /dev/full", 2, "can't print: No space left on device"),
        ("stylize --help > /dev/full", 2, "can't print: No space left on device"),
    ],
)
def test_closed_and_full_streams_end_in_a_picture_or_a_line(
    tmp_path, words, code, said
):
    save_image(tmp_path / "photo.png", scene(32, 40))
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m nst_tf {words}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        check=False,
    )
    told = done.stderr.decode()
    assert done.returncode == code, told
    assert said in told
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    if STYLIZE in words and "out.png" in words:
        assert load_image(tmp_path / "out.png").pixels.shape == (32, 40, 3)


def test_no_room_for_what_comes_through_a_pipe_is_an_error(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"a picture",))
    writer.start()
    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    job = Piped(photo=pipe)
    full_disk = pytest.raises(InputError, match=r"No space left .*; set TMPDIR to")
    with full_disk, piped(job, "photo"):
        pass
    writer.join()


@dataclasses.dataclass(frozen=True)
class Piped:
    """A job with a photograph."""

    photo: pathlib.Path
    output: pathlib.Path | None = None
    quiet: bool = False


@pytest.fixture
def other_keras(tmp_path):
    """A keras.json as other programs want it."""
    home = tmp_path / "home"
    home.mkdir()
    values = {"image_data_format": "channels_first", "floatx": "float64"}
    (home / "keras.json").write_text(json.dumps(values))
    return str(home)


def test_what_a_users_keras_json_says_does_not_matter(pair, tmp_path, other_keras):
    out = tmp_path / "写真 (1889), ä.png"
    command = ["optimize", *pair, "-o", out, *OPTIMIZE]
    done = nst(*command, KERAS_HOME=other_keras, PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert b"2 evaluations" in done.stdout
    plain = tmp_path / "plain.png"
    assert main(["optimize", *map(str, pair), "-o", str(plain), *OPTIMIZE]) == 0
    pictures = [load_image(path).pixels for path in (out, plain)]
    np.testing.assert_allclose(*pictures, atol=1.5 / 255)


@pytest.mark.parametrize("backend", ["jax", pytest.param("tensorflow", marks=SLOW)])
def test_training_runs_with_another_keras_json(tmp_path, other_keras, backend):
    pytest.importorskip(backend)
    recipe = write_recipe(tmp_path, BOTH_NETWORKS, photos=2)
    text = recipe.read_text().replace('precision = "float32"\n', "")
    recipe.write_text(text)  # The default precision.
    command = ["train", recipe, "--photos", tmp_path / "photos", "-o", tmp_path / "out"]
    command += ["--steps", "1", "--preview-every", "0", *LAYERS]
    nst(*command, KERAS_HOME=other_keras, KERAS_BACKEND=backend)
    assert json.loads((tmp_path / "out" / "model.json").read_text())["step"] == 1


def test_optimising_on_jax_runs_from_the_command_line(pair, tmp_path):
    pytest.importorskip("jax")
    out = tmp_path / "out.png"
    done = nst("optimize", *pair, "-o", out, *OPTIMIZE, KERAS_BACKEND="jax")
    assert b"2 evaluations" in done.stdout
    assert load_image(out).pixels.shape == (23, 32, 3)


def test_a_backend_that_is_not_supported_is_named(pair, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    command = ["optimize", *map(str, pair), "-o", str(tmp_path / "out.png")]
    assert main(command) == 2
    assert "runs on tensorflow or jax, not on torch" in capsys.readouterr().err
