"""The engines, a line each; which one runs a file, and how it is loaded."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nst_export.runtime.engines.session import Session
from nst_tf.settings.checks import InputError


class Line(NamedTuple):
    """What is known of an engine without loading it.

    Attributes:
        target: `module:class` of its session, made from a path and threads.
        package: What that imports.
        install: What pip installs for it.
        endings: Of the files that it runs; `FOLDER` for a SavedModel.
        first: Those of them for which `auto` takes it, if it is installed. Of several
            engines the last is taken whether it is there or not.
    """

    target: str
    package: str
    install: str
    endings: tuple[str, ...]
    first: tuple[str, ...] = ()


FOLDER = "/"
"""In place of an ending, for a folder."""
_HERE = "nst_export.runtime.engines"
ENGINES: Mapping[str, Line] = MappingProxyType(
    {
        "litert": Line(
            f"{_HERE}.litert:LiteRT",
            "ai_edge_litert.interpreter",
            "nst-tf",
            (".tflite",),
            first=(".tflite",),
        ),
        "openvino": Line(
            f"{_HERE}.openvino:OpenVINO",
            "openvino",
            "nst-tf[openvino]",
            (".tflite", ".onnx"),
            first=(".onnx",),
        ),
        "onnxruntime": Line(
            f"{_HERE}.onnxruntime:OnnxRuntime",
            "onnxruntime",
            "nst-tf[onnxruntime]",
            (".onnx",),
            first=(".onnx",),
        ),
        "saved_model": Line(
            f"{_HERE}.saved_model:SavedModel",
            "tensorflow",
            "nst-tf[tf]",
            (FOLDER,),
            first=(FOLDER,),
        ),
    }
)
"""The engines by the names that `--engine` takes."""
if TYPE_CHECKING:
    Engine = str
else:
    Engine = Literal["auto", *ENGINES]


def choose_engine(path: Path, engine: Engine) -> Engine:
    """Choose the engine for a file, or check the choice."""
    ending = FOLDER if path.is_dir() else path.suffix.lower()
    able = [name for name, line in ENGINES.items() if ending in line.endings]
    if not able:
        raise InputError(f"{path} is no model: give {_models()} that nst export wrote")
    if ending == FOLDER and not (path / "saved_model.pb").is_file():
        versions = sorted(file.parent for file in path.glob("[0-9]*/saved_model.pb"))
        hint = f", such as {versions[-1]}" if versions else ""
        raise InputError(
            f"{path} is a folder without saved_model.pb: give {_models()} that nst"
            f" export wrote{hint}"
        )
    if engine == "auto":
        *preferred, last = (name for name in able if ending in ENGINES[name].first)
        return next((name for name in preferred if installed(name)), last)
    if engine not in able:
        raise InputError(f"{engine} can't run {path.name}; {' or '.join(able)} can")
    return engine


def _models() -> str:
    """Say which files some engine reads."""
    endings = dict.fromkeys(end for line in ENGINES.values() for end in line.endings)
    *names, last = map(_named, endings)
    return f"{', '.join(names)} or {last}"


def _named(ending: str) -> str:
    if ending == FOLDER:
        return "a SavedModel folder"
    return f"{'an' if ending[1] in 'aeio' else 'a'} {ending}"


def installed(engine: str) -> bool:
    """Tell whether the package of an engine is there."""
    package, _, _ = ENGINES[engine].package.partition(".")
    return importlib.util.find_spec(package) is not None


def import_engine(engine: str) -> Any:
    """Load the package of an engine; a missing one is an InputError that names it."""
    try:
        return importlib.import_module(ENGINES[engine].package)
    except ImportError as error:
        raise InputError(
            f"the engine {engine} is not installed: pip install"
            f" '{ENGINES[engine].install}'"
        ) from error


def open_session(engine: str, path: Path, threads: int) -> Session:
    """Load a file by an engine."""
    module, _, name = ENGINES[engine].target.partition(":")
    found: Session = opened(
        getattr(importlib.import_module(module), name), path, threads, engine
    )
    return found


def opened(kind: Callable[..., Any], path: Path, threads: int, engine: str) -> Any:
    """Make a session, with one message for whatever is wrong with the file."""
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
