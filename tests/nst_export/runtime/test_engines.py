"""The table of engines: which one runs a file."""

import importlib
import sys
from pathlib import Path
from typing import get_args

import pytest

from nst_export.runtime import Engine
from nst_export.runtime.engines.choose import ENGINES, choose_engine


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
