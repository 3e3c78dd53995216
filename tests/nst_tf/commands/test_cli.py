"""The table of commands, and what they need."""

import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib

import pytest

from nst_tf.cli import COMMANDS, main
from nst_tf.commands import needs
from nst_tf.machine import keras_backend
from nst_tf.settings.checks import InputError
from tests.helpers import ROOT


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_its_words_and_returns_a_code(name):
    module, _, function = COMMANDS[name].target.partition(":")
    found = inspect.signature(getattr(importlib.import_module(module), function))
    assert list(found.parameters) == ["arguments"]
    assert found.return_annotation is int


def said_by(program):
    """Run a program that ends well and complains of nothing; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_loads_no_backend_and_needs_no_extra(name):
    program = (
        "import sys, importlib.util as u; from nst_tf import cli; find = u.find_spec; "
        "u.find_spec = lambda name, *rest: find(name, *rest) if '.' in name else None; "
        f"code = 0\ntry: cli.main([{name!r}, '--help'])\nexcept SystemExit as left: "
        "code = left.code\n"
        "assert not {'keras', 'tensorflow', 'jax', 'PIL'} & set(sys.modules); "
        "sys.exit(code)"
    )
    assert f"usage: nst {name}" in said_by(program)


def test_the_list_of_commands_loads_none_of_them():
    program = (
        "import sys; from nst_tf import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'tyro', 'numpy', 'nst_tf.settings.optimize'} & set(sys.modules)"
    )
    said = said_by(program)
    assert all(f" {name} " in said for name in COMMANDS)


def test_a_mistyped_command_is_guessed(capsys):
    assert main(["optimise"]) == 2
    assert capsys.readouterr().err == (
        "nst: error: there is no command optimise; did you mean optimize?\n"
    )
    assert main(["paint"]) == 2
    assert "there are optimize, explore" in capsys.readouterr().err


@pytest.fixture
def lacking(monkeypatch):
    """Hide packages; return a function that names which."""

    def hide(*names):
        find = importlib.util.find_spec
        monkeypatch.setattr(
            needs.importlib.util,
            "find_spec",
            lambda name: None if name in names else find(name),
        )

    return hide


@pytest.mark.parametrize(
    ("command", "package", "backend", "extra"),
    [
        ("optimize", "tensorflow", "tensorflow", "tf"),
        ("explore", "keras", "tensorflow", "tf"),
        ("features", "h5py", "tensorflow", "tf"),
        ("train", "jax", "jax", "jax"),
        ("evaluate", "tensorflow", "tensorflow", "tf"),
        ("serve", "starlette", "tensorflow", "serve"),
    ],
)
def test_a_command_that_lacks_a_package_says_how_to_install_it(
    capsys, monkeypatch, lacking, command, package, backend, extra
):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    lacking(package)
    assert main([command, "no", "such", "flags"]) == 2
    assert capsys.readouterr().err == (
        f"nst: error: nst {command} needs {package}: pip install 'nst-tf[{extra}]'\n"
    )


def test_export_needs_keras_but_for_the_page(capsys, lacking, tmp_path):
    lacking("keras")
    command = ["export", "gallery", "-o", str(tmp_path / "out")]
    assert main([*command, "--photos", str(tmp_path)]) == 2
    assert "pip install 'nst-tf[tf]'" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    assert main([*command, "--formats", "web"]) == 2
    assert "pip install" not in capsys.readouterr().err  # It went on to the folder.


def test_the_backend_is_found_as_keras_finds_it(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert keras_backend() == "jax"
    monkeypatch.delenv("KERAS_BACKEND")
    assert keras_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    assert keras_backend() == "torch"
    (tmp_path / "keras.json").write_text("no JSON")
    assert keras_backend() == "tensorflow"


def test_the_extras_that_messages_name_are_there():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    found = set()
    for package in ("nst_tf", "training", "export"):
        for path in (ROOT / package).rglob("*.py"):
            found |= set(re.findall(r"nst-tf\[(\w+)\]", path.read_text()))
    assert found - {"extra"} <= extras
    assert {command.needs for command in COMMANDS.values()} - {""} <= extras


def test_what_is_not_missing_is_no_error(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    needs.check_extra("tf", command="optimize")
    needs.check_extra("serve", command="serve")
    with pytest.raises(KeyError):
        needs.check_extra("nothing", command="optimize")
    assert issubclass(InputError, ValueError)


def test_the_package_is_the_command_too():
    """`python -m nst_tf`, where `nst` is not on the path."""
    command = [sys.executable, "-m", "nst_tf", "optimise"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("nst: error: there is no command optimise")
