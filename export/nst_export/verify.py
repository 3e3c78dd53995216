"""Proof that an exported file is the Keras model: numbers, not trust."""

import functools
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_export.runtime.stylizer import Stylizer
from nst_tf.files import sha256
from nst_tf.settings.checks import InputError
from nst_tf.style_file import StyleVector

Loss = Callable[[np.ndarray, np.ndarray, Sequence[float]], float]
"""The loss of a picture, given the photograph and the weights."""
Opened = Callable[[int | None], Stylizer]
"""Loads a file for so many threads; None for one a core."""

LIMITS = {"float32": ("max_difference", 1e-3), "float16": ("psnr", 55.0)}
LIMITS |= {"float16-image": ("psnr", 40.0)}  # Of 8 bits, as an app gets it.
LIMITS |= {"int8": ("psnr", 32.0), "full-int8": ("psnr", 25.0)}
"""What a file of each kind must keep: at most this difference, at least these dB."""
_GPU = {
    "ADD",
    "CONCATENATION",
    "CONV_2D",
    "DEPTH_TO_SPACE",
    "DEQUANTIZE",
    "DIV",
    "FULLY_CONNECTED",
    "LOGISTIC",
    "MAXIMUM",
    "MEAN",
    "MUL",
    "RELU",
    "RESHAPE",
    "RSQRT",
    "SPACE_TO_DEPTH",
    "SQUARED_DIFFERENCE",
    "STRIDED_SLICE",
    "SUB",
    "SUM",
}
"""Operations of LiteRT that its GPU accelerator takes, with tensors of at most 4-D."""


class Sample(NamedTuple):
    """What every file must make of a photograph.

    Attributes:
        photo: float32 `[H, W, 3]`, RGB 0..1.
        weights: One a style, the photograph's own first.
        picture: What the Keras model makes of them.
        loss: What that has of the loss that was trained; 0 if it is not known.
        guests: Styles that the weights are of, after those in the files.
    """

    photo: np.ndarray
    weights: list[float]
    picture: np.ndarray
    loss: float = 0.0
    guests: tuple[StyleVector, ...] = ()

    def painted(self, stylizer: Stylizer) -> np.ndarray:
        """Return what a file makes of the photograph."""
        return stylizer.with_styles(self.guests)(self.photo, self.weights, draft=None)


def verify(
    path: Path,
    samples: Sequence[Sample],
    *,
    name: str | None = None,
    kind: str = "float32",
    opened: Opened | None = None,
    size: str = "any",
    loss: Loss | None = None,
) -> dict[str, Any]:
    """Compare an exported file with the Keras model; return its entry in the card.

    Args:
        path: The file or SavedModel folder.
        samples: Photographs it was not trained on, as the Keras model paints them.
        name: Of the file in the card; without it its own.
        kind: A key of `LIMITS`, which sets the limit.
        opened: Loads the file; without it the engine that `auto` takes does.
        size: What the card says of the sizes it takes.
        loss: The loss that was trained, to compare both by it too.

    Raises:
        InputError: The difference is past the limit: the file must not be used.
    """
    squared, worst, losses = [], 0.0, []
    opened = opened or functools.partial(_load, path)
    stylizer = opened(None)
    for sample in samples:
        picture = sample.painted(stylizer)
        if loss is not None and sample.loss:
            losses.append(loss(picture, sample.photo, sample.weights) / sample.loss)
        gap = picture - sample.picture
        squared.append(float(np.mean(np.square(gap, dtype="float64"))))
        worst = max(worst, float(np.abs(gap).max()))
    noise = float(np.mean(squared))
    psnr = -10.0 * math.log10(noise) if noise > 0 else 200.0
    found: dict[str, Any] = {
        **file_facts(path, name, kind, size),
        "engine": stylizer.engine,
        "psnr": round(psnr, 2),
        "max_difference": worst,
        "milliseconds": {
            str(threads): _milliseconds(opened(threads), samples[0])
            for threads in _threads(stylizer.engine)
        },
        "timed_at": "x".join(str(n) for n in reversed(samples[0].photo.shape[:2])),
    }
    if losses:
        found["loss_ratio"] = round(float(np.mean(losses)), 4)
    if path.suffix == ".tflite":
        found |= _operations(path)
    key, limit = LIMITS[kind]
    passed = worst <= limit if key == "max_difference" else psnr >= limit
    if not (passed and math.isfinite(noise)):
        raise InputError(
            f"{path.name} differs from the Keras model: {key} {found[key]:g}, the limit"
            f" is {limit:g}"
        )
    return found


def unchecked(
    path: Path, facts: dict[str, Any], *, name: str, kind: str, size: str = "any"
) -> dict[str, Any]:
    """Return the card's entry of a file that nothing on this machine runs.

    Args:
        path: The file or folder.
        facts: What is known of it.
        name: Of the file in the card.
        kind: How weights and activations are kept.
        size: What the card says of the sizes it takes.
    """
    nothing = {"engine": None, "psnr": None, "max_difference": None, "checked": False}
    return {
        **file_facts(path, name, kind, size),
        **nothing,
        "milliseconds": {},
        **facts,
    }


def file_facts(path: Path, name: str | None, kind: str, size: str) -> dict[str, Any]:
    """Return what the card says of every file, see `verify`."""
    own = path.name if path.is_file() else f"saved_model/{path.parent.name}"
    return {
        "file": name or own,
        "kind": kind,
        "size": size,
        "bytes": _bytes(path),
        "sha256": sha256(path) if path.is_file() else None,
    }


def _load(path: Path, threads: int | None) -> Stylizer:
    return Stylizer.load(path, threads=threads)


def _threads(engine: str) -> tuple[int, ...]:
    """Return the numbers of threads that a file is timed with."""
    # TensorFlow takes as many as there are cores, whatever a model would like.
    return (os.cpu_count() or 1,) if engine == "saved_model" else (1, 2)


def _milliseconds(stylizer: Stylizer, sample: Sample) -> float:
    """Return the least of three runs."""
    sample.painted(stylizer)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        sample.painted(stylizer)
        times.append(time.perf_counter() - start)
    return round(1e3 * min(times), 1)


def _operations(path: Path) -> dict[str, Any]:
    """Return operations, XNNPACK partitions, and what a GPU would not take."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    def details(kind: Any) -> list[tuple[str, int]]:
        interpreter = Interpreter(
            model_path=str(path), experimental_op_resolver_type=kind
        )
        for detail in interpreter.get_input_details():
            shape = [64 if n == -1 else n for n in detail["shape_signature"]]
            interpreter.resize_tensor_input(detail["index"], shape)
        interpreter.allocate_tensors()
        ranks = {d["index"]: len(d["shape"]) for d in interpreter.get_tensor_details()}
        return [
            (op["op_name"], max((ranks.get(i, 0) for i in op["outputs"]), default=0))
            for op in interpreter._get_ops_details()
        ]

    plain = details(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    # What stays outside of a delegate still shows up beside it.
    delegated = details(OpResolverType.AUTO)
    names = sorted({name for name, _ in plain})
    too_deep = {name for name, rank in plain if rank > 4}
    return {
        "operations": names,
        "flex": [name for name in names if name.startswith("Flex")],
        "xnnpack_partitions": sum(name == "DELEGATE" for name, _ in delegated),
        "not_on_gpu": sorted((set(names) - _GPU) | too_deep),
    }


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
