"""The table of engines: which one runs a file."""

import importlib
import sys
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import pytest

from nst_export.runtime import Engine
from nst_export.runtime.engines import choose
from nst_export.runtime.engines.choose import ENGINES, Line, choose_engine
from nst_tf import InputError


def test_the_engines_are_those_of_the_type_and_their_sessions_are_there():
    assert get_args(Engine) == ("auto", *ENGINES)
    for line in ENGINES.values():
        module, _, name = line.target.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(
    ("file", "there", "chosen"),
    [
        ("a.tflite", ("ai_edge_litert", "openvino"), "litert"),
        ("a.tflite", ("openvino",), "litert"),  # Which says what to install.
        ("a.onnx", ("openvino", "onnxruntime"), "openvino"),
        ("a.onnx", ("onnxruntime",), "onnxruntime"),
        ("a.onnx", (), "onnxruntime"),
    ],
)
def test_auto_takes_the_first_engine_that_is_installed(
    monkeypatch, file, there, chosen
):
    for name in ("ai_edge_litert", "openvino", "onnxruntime"):
        if name not in there:
            monkeypatch.setitem(sys.modules, name, None)
    assert choose_engine(Path(file), "auto") == chosen


def test_what_is_no_model_is_refused_with_the_files_that_engines_read(
    monkeypatch, tmp_path
):
    known = "give a .tflite, an .onnx or a SavedModel folder that nst export wrote"
    with pytest.raises(InputError, match=f"photo.png is no model: {known}"):
        choose_engine(Path("photo.png"), "auto")
    with pytest.raises(InputError, match=f"is a folder without .*: {known}"):
        choose_engine(tmp_path, "auto")
    more = {**ENGINES, "other": Line("module:Other", "other", "other", (".pt",))}
    monkeypatch.setattr(choose, "ENGINES", MappingProxyType(more))
    with pytest.raises(InputError, match=r"an \.onnx, a SavedModel folder or a \.pt"):
        choose_engine(Path("photo.png"), "auto")
