"""Apply an exported model: numpy and Pillow, and the one engine that is used.

Neither TensorFlow nor Keras is imported, except by the SavedModel engine.
"""

import difflib
import importlib
import importlib.util
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from nst_export.card import Card, extract, read_sidecar, style_names
from nst_tf.settings import MIN_SIDE, InputError

Engine = Literal["auto", "litert", "openvino", "onnxruntime", "saved_model"]
MULTIPLE = 4
"""What both sides of a picture must be multiples of for the network."""
_PACKAGES = {
    "litert": ("ai_edge_litert.interpreter", "nst-tf"),
    "openvino": ("openvino", "nst-tf[openvino]"),
    "onnxruntime": ("onnxruntime", "nst-tf[onnxruntime]"),
    "saved_model": ("tensorflow", "nst-tf[train]"),
}


class Session(Protocol):
    """A loaded model."""

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return `[1, H, W, 3]` of `[1, H, W, 3]` and `[1, N + 1]`, all float32."""


class Stylizer:
    """A loaded style model.

    Args:
        session: Runs the network.
        card: The model's card.
        engine: Name of the engine that runs it.

    Example:
        >>> stylizer = Stylizer.load(Path("gallery.tflite"))
        >>> weights = mix_weights(stylizer.styles, {"starry_night": 1.0}, strength=0.7)
        >>> picture = stylizer(photo, weights)
    """

    def __init__(self, session: Session, card: Card, engine: str) -> None:
        self.session, self.card, self.engine = session, card, engine
        self.styles = style_names(card)

    @classmethod
    def load(
        cls, path: Path, *, engine: Engine = "auto", threads: int | None = None
    ) -> "Stylizer":
        """Load a `.tflite`, an `.onnx` or a SavedModel folder.

        Args:
            path: What `nst export` wrote.
            engine: What runs it. `auto` is LiteRT for a `.tflite`, for an `.onnx`
                OpenVINO where it is installed, else ONNX Runtime.
            threads: Threads a picture; without it one a core.

        Raises:
            InputError: No such file, no such engine here, or no model of ours.
        """
        if not path.exists():
            raise InputError(f"there is no model {path}")
        engine = _engine(path, engine)
        _import(engine)
        card = _card(path)
        style_names(card)
        opened: dict[str, Any] = {
            "litert": _LiteRT,
            "openvino": _OpenVINO,
            "onnxruntime": _OnnxRuntime,
            "saved_model": _SavedModel,
        }
        try:
            session = opened[engine](path, threads or os.cpu_count() or 1)
        except InputError:
            raise
        except Exception as error:  # Each engine raises classes of its own.
            reason = str(error).strip().splitlines()
            raise InputError(
                f"{path} is no model that {engine} can load:"
                f" {reason[0] if reason else type(error).__name__}"
            ) from error
        return cls(session, card, engine)

    def __call__(self, photo: np.ndarray, weights: Sequence[float]) -> np.ndarray:
        """Stylise float32 `[H, W, 3]`, RGB 0..1, of any size from 16 pixels.

        Args:
            photo: The photograph.
            weights: One a style, the photograph's own first; from `mix_weights`.

        Raises:
            InputError: The picture is too small.
        """
        height, width = photo.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(
                f"the picture has {width}x{height} pixels; each side needs {MIN_SIDE}"
            )
        pad = [(0, -side % MULTIPLE) for side in (height, width)]
        # Mirrored, as the network does at its own borders.
        padded = np.pad(photo, (*pad, (0, 0)), mode="reflect")
        style = np.asarray([weights], "float32")
        picture = self.session(np.ascontiguousarray(padded[None], "float32"), style)
        return np.clip(picture[0, :height, :width], 0.0, 1.0)


def bundled() -> Path:
    """Return the file of the gallery that ships with the package.

    Raises:
        InputError: This installation has none.
    """
    path = Path(__file__).parent / "gallery" / "gallery.tflite"
    if not path.is_file():
        raise InputError(
            "this installation has no bundled gallery: give --model, a file that nst"
            " export wrote"
        )
    return path


def mix_weights(
    styles: Sequence[str], mix: Mapping[str, float], *, strength: float = 1.0
) -> list[float]:
    """Return the model's weights for a mix of styles.

    Args:
        styles: The model's styles.
        mix: Share of each style by name; scaled to a sum of 1.
        strength: 0 is the photograph, 1 the whole style.

    Raises:
        InputError: An unknown style, shares that are negative or all 0, a strength
            outside 0..1.
    """
    problems = []
    for name, share in mix.items():
        if name not in styles:
            close = difflib.get_close_matches(name, styles, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            problems.append(
                f"there is no style {name}{hint} (there are {', '.join(styles)})"
            )
        if not (math.isfinite(share) and share >= 0):
            problems.append(f"the share of {name} must be at least 0, got {share:g}")
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        problems.append(f"strength must be in 0..1, got {strength:g}")
    total = sum(mix.values())
    if not problems and total <= 0:
        problems.append("at least one style needs a share above 0")
    if problems:
        raise InputError("; ".join(problems))
    shares = [strength * mix.get(name, 0.0) / total for name in styles]
    return [1.0 - strength, *shares]


def _engine(path: Path, engine: Engine) -> Engine:
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


def _import(engine: str) -> Any:
    module, package = _PACKAGES[engine]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"the engine {engine} is not installed: pip install '{package}'"
        ) from error


def _card(path: Path) -> Card:
    """Read the card inside a `.tflite`, or beside any other model."""
    if path.suffix.lower() == ".tflite":
        try:
            card = extract(path.read_bytes())
        except Exception as error:  # A damaged file fails anywhere in the parser.
            raise InputError(f"{path} is damaged or no .tflite") from error
        if card is not None:
            return card
    return read_sidecar(path)


class _LiteRT:
    """LiteRT on the CPU, resized when a picture has another size than the last."""

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        data = path.read_bytes()  # A file that changes under a mapping is a crash.
        self.interpreter = Interpreter(model_content=data, num_threads=threads)
        inputs = {
            len(detail["shape"]): detail
            for detail in self.interpreter.get_input_details()
        }
        if len(inputs) != 2 or 4 not in inputs or 2 not in inputs:
            raise InputError(f"{path} has other inputs than image and style")
        self.image, self.style = inputs[4], inputs[2]
        (self.output,) = self.interpreter.get_output_details()
        self.shape: tuple[int, ...] = ()

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        if image.shape != self.shape:
            fixed = tuple(self.image["shape_signature"])
            if -1 not in fixed and fixed != image.shape:
                _, height, width, _ = fixed
                raise InputError(
                    f"this model takes {width}x{height} pixels only; resize the picture"
                    " or use the file without a size in its name"
                )
            self.interpreter.resize_tensor_input(self.image["index"], image.shape)
            self.interpreter.allocate_tensors()
            self.shape = image.shape
        self.interpreter.set_tensor(self.image["index"], image)
        self.interpreter.set_tensor(self.style["index"], style)
        self.interpreter.invoke()
        picture: np.ndarray = self.interpreter.get_tensor(self.output["index"])
        return picture


class _OpenVINO:
    """OpenVINO on the CPU; bfloat16 where the processor has it."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        core = openvino.Core()
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        self.model = core.compile_model(core.read_model(path), "CPU", config)
        self.names = _two_inputs(path, [i.get_any_name() for i in self.model.inputs])

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        feed = dict(zip(self.names, (image, style), strict=True))
        return np.asarray(next(iter(self.model(feed).values())))


class _OnnxRuntime:
    """ONNX Runtime on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self.names = _two_inputs(path, [i.name for i in self.session.get_inputs()])

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        feed = dict(zip(self.names, (image, style), strict=True))
        picture: np.ndarray = self.session.run(None, feed)[0]
        return picture


class _SavedModel:
    """TensorFlow's own runtime."""

    def __init__(self, path: Path, threads: int) -> None:
        import tensorflow as tf

        self.model = tf.saved_model.load(str(path))
        self.serve = self.model.signatures["serving_default"]

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        import tensorflow as tf

        found = self.serve(image=tf.constant(image), style=tf.constant(style))
        picture: np.ndarray = found["picture"].numpy()
        return picture


def _two_inputs(path: Path, names: list[str]) -> list[str]:
    """Return the names of image and style in this order."""
    short = [name.split(":")[0].removeprefix("serving_default_") for name in names]
    if sorted(short) != ["image", "style"]:
        raise InputError(
            f"{path} has the inputs {', '.join(names)}, not image and style"
        )
    return sorted(names)
