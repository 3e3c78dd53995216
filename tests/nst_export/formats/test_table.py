"""The table of formats: complete, light to read."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from nst_export.formats.table import TABLE, find_format
from nst_export.settings import FORMATS, ExportSettings, Format
from nst_export.verify import LIMITS
from nst_tf import InputError
from nst_tf.cli import main
from nst_tf.network.lowering import LOWERINGS
from tests.helpers import ROOT


def test_the_formats_are_those_of_the_type():
    assert ExportSettings().formats == FORMATS
    # Only when asked for; npm fetches the runtime of the page.
    asked = {"coreml", "litert-full-int8", "litert-int8-tiles", "web"}
    assert {*FORMATS, *asked} == set(get_args(Format))
    with pytest.raises(InputError, match="at least one"):
        ExportSettings(formats=())


def test_every_line_leads_to_a_format_of_its_own_file():
    found = {name: find_format(name) for name in TABLE}
    assert len({form.file for form in found.values()}) == len(TABLE)
    for form in found.values():
        assert form.kind in LIMITS
        assert form.lowering in LOWERINGS


def test_a_file_has_the_models_name_and_its_size():
    folder, form = Path("out"), find_format("litert-int8")
    assert form.path(folder, "pair", None) == folder / "pair-int8.tflite"
    assert form.path(folder, "pair", (48, 32)) == folder / "pair-int8-48x32.tflite"
    path = find_format("saved_model").path(folder, "pair", None)
    assert path == folder / "saved_model" / "pair" / "1"


@pytest.mark.parametrize(
    ("name", "missing", "words"),
    [
        ("onnx", "tf2onnx", "pip install 'nst-tf[onnx]'"),
        ("onnx", "onnxruntime", "pip install 'nst-tf[onnx]'"),
        ("coreml", "coremltools", "pip install 'nst-tf[coreml]'"),
    ],
)
def test_a_missing_package_is_told_before_any_work(
    name, missing, words, tmp_path, monkeypatch, capsys
):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == missing else real(n, *a)
    )
    # No such model, no such photographs: neither has been looked for.
    command = ["export", str(tmp_path / "none"), "--photos", str(tmp_path / "no")]
    command += ["-o", str(tmp_path / "out"), "--formats", "litert", name]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert f"nst export --formats {name} needs {missing}: {words}" in told
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_format_and_loads_neither_keras_nor_tensorflow():
    program = (
        "import sys; from nst_tf.cli import main\n"
        "try: main(['export', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name, line in TABLE.items():
        assert name in done.stdout
        assert all(word in done.stdout for word in line.note.split())
