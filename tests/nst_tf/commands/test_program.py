"""The program as its own process: what it ends with, and what it loads."""

import subprocess
import sys

import pytest

from nst_tf import __version__
from tests.helpers import ROOT
from tests.nst_tf.commands.test_errors import below, plain, write_cut


def program(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_program_itself_ends_with_2_and_one_line(tmp_path, pair):
    write_cut(tmp_path / "cut.jpg")
    command = ("-m", "nst_tf", "optimize", tmp_path / "cut.jpg", pair[1])
    # The network by its name: of auto's choice a line would be said.
    ended = program(*command, "--network", "lite", "-o", tmp_path / "out.png")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"nst: error: {tmp_path / 'cut.jpg'} is damaged")
    assert below(tmp_path) == {"cut.jpg", "photo.png", "painting.png"}


def test_the_program_itself_ends_with_2_on_a_bad_flag(tmp_path, pair):
    command = ("-m", "nst_tf", "optimize", *pair, "-o", tmp_path / "out.png")
    ended = program(*command, "--style-weight", "-1")
    assert ended.returncode == 2
    assert "style_weight must be at least 0" in plain(ended.stderr)
    assert "Traceback" not in ended.stderr
    assert below(tmp_path) == {"photo.png", "painting.png"}


LIGHT = """
import sys
from nst_tf import cli
try:
    code = cli.main(sys.argv[1:])
except SystemExit as left:
    code = left.code or 0
loaded = {"tensorflow", "keras", "jax"} & set(sys.modules)
sys.exit(f"imported {loaded}" if loaded else code)
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--help",), "optimize"),
        (("--version",), __version__),
        (("optimize", "--help"), "--style-weight"),
        (("optimize", "--recipe", "johnson", "--help"), "--style-weight"),
    ],
)
def test_help_needs_neither_tensorflow_nor_keras(arguments, shown):
    ended = program("-c", LIGHT, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert shown in ended.stdout


def test_a_refused_picture_needs_neither_tensorflow_nor_keras(tmp_path, pair):
    arguments = ("optimize", tmp_path / "no.jpg", pair[1], "-o", tmp_path / "out.png")
    ended = program("-c", LIGHT, *arguments)
    assert ended.returncode == 2
    assert "there is no file" in ended.stderr
