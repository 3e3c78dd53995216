"""The file of a compressed loss network: 8-bit kernels with a scale a channel, a card.

An `.npz` archive without pickles, whose checksums find damage. Of every layer it holds
`LAYER/kernel` and `LAYER/bias`, of a factored one `LAYER/mix` too; an array of integers
has a `LAYER/kernel/scale` or `LAYER/mix/scale`, one number for each channel of its last
axis. `card` is JSON in UTF-8.
"""

import contextlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_tf.loss.weight_files import layer_shapes
from nst_tf.settings.checks import InputError

FORMAT = "nst-tf lite"
VERSION = 1
_EXACT = ("block1", "block2")
"""Blocks kept in float16: few numbers, and every later layer inherits their error."""
_LEVELS = 127


class Factors(NamedTuple):
    """One convolution: `[3, 3, C_in, r]`, and `[r, C_out]` behind it, and a bias.

    Attributes:
        kernel: float32 `[3, 3, C_in, r]`, or `[3, 3, C_in, C_out]` of a whole one.
        mix: float32 `[r, C_out]`, None of a whole one.
        bias: float32 `[C_out]`.
    """

    kernel: np.ndarray
    mix: np.ndarray | None
    bias: np.ndarray

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return int(self.bias.shape[0])


class LiteWeights(NamedTuple):
    """A compressed loss network.

    Attributes:
        layers: Keras name of a VGG convolution -> what stands for it, in order.
        card: Where it came from: `network`, the credit, the recipe, figures.
    """

    layers: dict[str, Factors]
    card: dict[str, Any]


def quantized(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 values and float32 scales, one for each channel of the last axis."""
    flat = np.abs(array.reshape(-1, array.shape[-1]))
    scale = np.maximum(flat.max(axis=0) / _LEVELS, 1e-30).astype("float32")
    return np.rint(array / scale).astype("int8"), scale


def write_lite(path: Path, weights: LiteWeights) -> None:
    """Write a network; blocks 1 and 2 in float16, the kernels of the others in 8 bits.

    Args:
        path: The file, as named.
        weights: The network; its card gets the format's name and version.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, factors in weights.layers.items():
        for part, array in zip(Factors._fields, factors, strict=True):
            if array is None:
                continue
            key = f"{name}/{part}"
            if part == "bias":
                arrays[key] = array.astype("float32")
            elif name.startswith(_EXACT):
                arrays[key] = array.astype("float16")
            else:
                arrays[key], arrays[f"{key}/scale"] = quantized(array)
    card = {"format": FORMAT, "version": VERSION, **weights.card}
    arrays["card"] = np.frombuffer(json.dumps(card).encode(), "uint8")
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_lite(path: Path) -> LiteWeights:
    """Read what `write_lite` wrote.

    Raises:
        InputError: No such file, not a compressed loss network, damaged, or of a
            version to come.
    """
    with _opened(path) as file:
        card = _card(path, file)
        arrays = {key: file[key] for key in file.files if key != "card"}
        return LiteWeights(_layers(path, arrays, str(card.get("network"))), card)


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of such a file alone.

    Raises:
        InputError: As `read_lite`, but for damage to the rest.
    """
    with _opened(path) as file:
        return _card(path, file)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise InputError(f"there is no compressed loss network {path}")
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            yield file
    except InputError:
        raise
    except (
        *(AttributeError, EOFError, KeyError, OSError, TypeError, ValueError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        raise InputError(
            f"{path} is not a compressed loss network of nst-tf, or it is damaged:"
            f" {error}"
        ) from error


def _card(path: Path, file: Any) -> dict[str, Any]:
    card: dict[str, Any] = {}
    if "card" in file.files:
        card = json.loads(file["card"].tobytes())
    if card.get("format") != FORMAT:
        raise InputError(f"{path} is not a compressed loss network of nst-tf")
    if int(card["version"]) > VERSION:
        raise InputError(
            f"{path} is of version {card['version']}; this nst-tf reads up to {VERSION}"
        )
    return card


def read_names(path: Path) -> set[str]:
    """Read the names of the layers in such a file alone.

    Raises:
        InputError: As `read_card`.
    """
    with _opened(path) as file:
        _card(path, file)
        return {key.split("/")[0] for key in file.files if key != "card"}


def _layers(path: Path, arrays: Mapping[str, np.ndarray], network: str) -> Any:
    """Return the factors of the arrays of a file, checked against their network."""
    layers = {}
    shapes = layer_shapes("vgg16" if network == "vgg16" else "vgg19")
    for name, (_, _, before, channels) in shapes.items():
        kernel, mix, bias = (
            _array(path, arrays, f"{name}/{part}") for part in Factors._fields
        )
        if kernel is None or bias is None:
            break
        rank = (channels,) if mix is None else mix.shape[:1]
        if (
            kernel.shape != (3, 3, before, *rank)
            or bias.shape != (channels,)
            or (mix is not None and mix.shape != (*rank, channels))
        ):
            raise InputError(f"{path} is damaged: {name} is of another shape")
        factors = Factors(kernel, mix, bias)
        if not all(np.isfinite(x).all() for x in factors if x is not None):
            raise InputError(f"{path} is damaged: {name} holds values not finite")
        layers[name] = factors
    held = {key.split("/")[0] for key in arrays}
    if not layers or held != set(layers):
        raise InputError(f"{path} is damaged: its layers are not those of {network}")
    return layers


def _array(path: Path, arrays: Mapping[str, np.ndarray], key: str) -> np.ndarray | None:
    """Return one array in float32, None where the file has none."""
    if key not in arrays:
        return None
    array = arrays[key].astype("float32")
    scale = arrays.get(f"{key}/scale")
    if scale is None:
        return array
    if scale.shape != array.shape[-1:]:
        raise InputError(f"{path} is damaged: the scales of {key} are of another shape")
    return array * scale
