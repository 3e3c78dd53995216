"""Which engine runs a file, and how it is loaded."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from nst_tf.settings.checks import InputError

Engine = Literal["auto", "litert", "openvino", "onnxruntime", "saved_model"]
LITERT = "ai_edge_litert"
PACKAGES = {
    "litert": (f"{LITERT}.interpreter", "nst-tf"),
    "openvino": ("openvino", "nst-tf[openvino]"),
    "onnxruntime": ("onnxruntime", "nst-tf[onnxruntime]"),
    "saved_model": ("tensorflow", "nst-tf[train]"),
}


def choose_engine(path: Path, engine: Engine) -> Engine:
    """Choose the engine for a file, or check the choice."""
    fitting: dict[str, tuple[Engine, ...]] = {
        ".tflite": ("litert", "openvino"),
        ".onnx": ("openvino", "onnxruntime"),
    }
    if path.is_dir():
        able: tuple[Engine, ...] = ("saved_model",)
        if not (path / "saved_model.pb").is_file():
            raise InputError(
                f"{path} is a folder without saved_model.pb: give a .tflite, an .onnx"
                " or a SavedModel folder that nst export wrote"
            )
    else:
        able = fitting.get(path.suffix.lower(), ())
        if not able:
            raise InputError(
                f"{path} is no model: give a .tflite, an .onnx or a SavedModel folder"
                " that nst export wrote"
            )
    if engine == "auto":
        if path.suffix.lower() != ".onnx" or importlib.util.find_spec("openvino"):
            return able[0]
        return "onnxruntime"
    if engine not in able:
        raise InputError(f"{engine} can't run {path.name}; {' or '.join(able)} can")
    return engine


def import_engine(engine: str) -> Any:
    """Load the package of an engine; a missing one is an InputError that names it."""
    module, package = PACKAGES[engine]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"the engine {engine} is not installed: pip install '{package}'"
        ) from error


def open_session(
    kind: Callable[..., Any], path: Path, threads: int, engine: str
) -> Any:
    """Load a session, with one message for whatever is wrong with the file."""
    try:
        return kind(path, threads)
    except InputError:
        raise
    except Exception as error:  # Each engine raises classes of its own.
        reason = str(error).strip().splitlines()
        raise InputError(
            f"{path} is no model that {engine} can load:"
            f" {reason[0] if reason else type(error).__name__}"
        ) from error
