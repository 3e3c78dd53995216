"""Apply an exported model: numpy and Pillow, and the one engine that is used.

Neither TensorFlow nor Keras is imported, except by the SavedModel engine.
"""

import difflib
import functools
import importlib
import importlib.util
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from nst_export import tiles
from nst_export.card import Card, extract, read_sidecar, style_names
from nst_tf.settings import MIN_SIDE, InputError

Engine = Literal["auto", "litert", "openvino", "onnxruntime", "saved_model"]
MULTIPLE = 4
"""What both sides of a picture must be multiples of for the network."""
WHOLE = 3 * 2**20
"""Pixels up to which a picture is painted in one pass; larger ones go in tiles. The
width of the gallery, 0.5, takes 0.6 GiB for 2**20 pixels."""
_LITERT = "ai_edge_litert"
_PACKAGES = {
    "litert": (f"{_LITERT}.interpreter", "nst-tf"),
    "openvino": ("openvino", "nst-tf[openvino]"),
    "onnxruntime": ("onnxruntime", "nst-tf[onnxruntime]"),
    "saved_model": ("tensorflow", "nst-tf[train]"),
}


class Session(Protocol):
    """A loaded model."""

    takes_style: bool
    """Whether the style weights are an input; if not, it has one style alone."""

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return `[1, H, W, 3]` of `[1, H, W, 3]` and `[1, N + 1]`, all float32."""


class Stylizer:
    """A loaded style model.

    Args:
        session: Runs the network.
        card: The model's card.
        engine: Name of the engine that runs it.
        tiles: Makes the session for pictures that are too large for one pass; without
            it they take the memory that they take.
        whole: Pixels up to which a picture is painted in one pass.

    Example:
        >>> stylizer = Stylizer.load(Path("gallery.tflite"))
        >>> weights = mix_weights(stylizer.styles, {"starry_night": 1.0}, strength=0.7)
        >>> picture = stylizer(photo, weights)
    """

    def __init__(
        self,
        session: Session,
        card: Card,
        engine: str,
        *,
        tiles: Callable[[], tiles.TileSession] | None = None,
        whole: int = WHOLE,
    ) -> None:
        self.session, self.card, self.engine = session, card, engine
        self.tiles, self.whole = tiles, whole
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
        count = threads or os.cpu_count() or 1
        session = _open(opened[engine], path, count, engine)
        beside = path.with_name(f"{card.get('name')}-tiles.tflite")
        large = None
        if path.is_file() and beside.is_file() and importlib.util.find_spec(_LITERT):
            large = functools.partial(_open, LiteRTTiles, beside, count, "litert")
        return cls(session, card, engine, tiles=large)

    def __call__(self, photo: np.ndarray, weights: Sequence[float]) -> np.ndarray:
        """Stylise float32 `[H, W, 3]`, RGB 0..1, of any size from 16 pixels.

        Larger pictures than `whole` go in tiles, if the model has a file for that.

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
        if self.tiles is not None and height * width > self.whole:
            return tiles.paint(self.tiles(), photo, weights)
        pad = [(0, -side % MULTIPLE) for side in (height, width)]
        # Mirrored, as the network does at its own borders.
        padded = np.pad(photo, (*pad, (0, 0)), mode="reflect")
        style = np.asarray([weights], "float32")
        picture = self.session(np.ascontiguousarray(padded[None], "float32"), style)
        picture = picture[0, :height, :width]
        if not self.session.takes_style:
            picture = picture + weights[0] * (photo - picture)
        return np.clip(picture, 0.0, 1.0)


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
            problems.append(
                f"the share of {name} must be a number of at least 0, got {share:g}"
            )
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        problems.append(f"strength must be in 0..1, got {strength:g}")
    total = sum(mix.values())
    if not problems and total <= 0:
        problems.append("at least one style needs a share above 0")
    if problems:
        raise InputError("; ".join(problems))
    shares = [strength * mix.get(name, 0.0) / total for name in styles]
    return [1.0 - strength, *shares]


def parse_mix(text: str) -> dict[str, float]:
    """Return the share of each style in `NAME=SHARE,NAME=SHARE`.

    Raises:
        InputError: Another form, or a style twice.
    """
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (word.strip() for word in part.partition("="))
        if name in mix:
            raise InputError(f"the mix {text} names {name} twice")
        try:
            mix[name] = float(share)
        except ValueError as error:
            raise InputError(
                f"a mix is NAME=SHARE,NAME=SHARE; {part.strip()!r} is none"
            ) from error
    return mix


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


def _open(kind: Callable[..., Any], path: Path, threads: int, engine: str) -> Any:
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


class _LiteRT:
    """LiteRT on the CPU, resized when a picture has another size than the last."""

    expected: tuple[set[str], ...] = ({"image", "style"}, {"image"})

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        data = path.read_bytes()  # A file that changes under a mapping is a crash.
        self.interpreter = Interpreter(model_content=data, num_threads=threads)
        details = self.interpreter.get_input_details()
        self.inputs = {_short(detail["name"]): detail for detail in details}
        _check_inputs(path, self.inputs, self.expected)
        self.takes_style = "style" in self.inputs
        self.shape: tuple[int, ...] = ()

    def run(self, image: np.ndarray, **others: np.ndarray) -> dict[int, np.ndarray]:
        """Return the outputs by the length of their last axis, 3 for the picture."""
        if image.shape != self.shape:
            index = self.inputs["image"]["index"]
            fixed = tuple(self.inputs["image"]["shape_signature"])
            if -1 not in fixed and fixed != image.shape:
                _, height, width, _ = fixed
                raise InputError(
                    f"this model takes {width}x{height} pixels only; resize the picture"
                    " or use the file without a size in its name"
                )
            self.interpreter.resize_tensor_input(index, image.shape)
            self.interpreter.allocate_tensors()
            self.shape = image.shape
        for name, detail in self.inputs.items():
            value = image if name == "image" else others[name]
            self.interpreter.set_tensor(detail["index"], value)
        self.interpreter.invoke()
        outputs = self.interpreter.get_output_details()
        found = [self.interpreter.get_tensor(detail["index"]) for detail in outputs]
        return {value.shape[-1]: value for value in found}

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        return self.run(image, style=style)[3]


class LiteRTTiles(_LiteRT):
    """LiteRT with statistics in and out, for pictures in tiles."""

    expected = ({"image", "style", "statistics"},)

    @property
    def channels(self) -> int:
        """Channels of all normalisations together."""
        return int(self.inputs["statistics"]["shape"][-1])

    def __call__(  # type: ignore[override]
        self, image: np.ndarray, style: np.ndarray, statistics: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `[1, H, W, 3]` and `[1, 2, 1, S]`, given `[1, 3, 1, S]`."""
        found = self.run(image, style=style, statistics=statistics)
        return found[3], found[self.channels]


class _OpenVINO:
    """OpenVINO on the CPU; bfloat16 where the processor has it."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        core = openvino.Core()
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        self.model = core.compile_model(core.read_model(path), "CPU", config)
        names = [i.get_any_name() for i in self.model.inputs]
        self.names = {_short(name): name for name in names}
        _check_inputs(path, self.names)
        self.takes_style = "style" in self.names

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        given = {"image": image, "style": style}
        feed = {name: given[short] for short, name in self.names.items()}
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
        self.names = {_short(i.name): i.name for i in self.session.get_inputs()}
        _check_inputs(path, self.names)
        self.takes_style = "style" in self.names

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        given = {"image": image, "style": style}
        feed = {name: given[short] for short, name in self.names.items()}
        picture: np.ndarray = self.session.run(None, feed)[0]
        return picture


class _SavedModel:
    """TensorFlow's own runtime."""

    def __init__(self, path: Path, threads: int) -> None:
        import tensorflow as tf

        self.model = tf.saved_model.load(str(path))
        self.serve = self.model.signatures["serving_default"]
        self.names = set(self.serve.structured_input_signature[1])
        _check_inputs(path, self.names)
        self.takes_style = "style" in self.names

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        import tensorflow as tf

        given = {"image": image, "style": style}
        found = self.serve(**{name: tf.constant(given[name]) for name in self.names})
        picture: np.ndarray = found["picture"].numpy()
        return picture


def _short(name: str) -> str:
    """Return the name of an input without what converters add."""
    return name.split(":")[0].removeprefix("serving_default_")


def _check_inputs(
    path: Path,
    names: Iterable[str],
    expected: Sequence[set[str]] = _LiteRT.expected,
) -> None:
    if set(names) not in expected:
        raise InputError(
            f"{path} has the inputs {', '.join(sorted(names))}, not"
            f" {' and '.join(sorted(expected[0]))}"
        )
