"""Weight files of VGG-16 and VGG-19: HDF5 in either Keras layout."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.loss.geometry import GEOMETRIES
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import Network

Weights = dict[str, tuple[np.ndarray, np.ndarray]]
"""Layer name -> kernel float32 `[3, 3, C_in, C_out]` and bias float32 `[C_out]`."""


def layer_shapes(network: Network) -> dict[str, tuple[int, int, int, int]]:
    """Return the kernel shape of every convolution, by its Keras name, in order."""
    layers = GEOMETRIES[network].layers
    before = (3, *(layer.channels for layer in layers))
    return {
        layer.name: (3, 3, channels, layer.channels)
        for layer, channels in zip(layers, before, strict=False)
    }


def read_weights(path: Path, network: Network) -> Weights:
    """Read an HDF5 file of either Keras layout: legacy `.h5` or `.weights.h5`.

    Args:
        path: The file; classifier layers in it are ignored.
        network: The network it must belong to.

    Raises:
        InputError: No such file, not HDF5, or not this network's weights.
    """
    import h5py

    shapes = layer_shapes(network)
    if not path.is_file():
        raise InputError(f"there is no weight file {path}")
    try:
        with h5py.File(path, "r") as file:
            found = _read_named(file, shapes) or _read_ordered(file, shapes)
            strange = _strange_layers(file, shapes)
    except Exception as error:  # A damaged file fails anywhere in h5py.
        raise InputError(f"{path} is not a readable HDF5 file: {error}") from error
    wrong = [
        name
        for name, shape in shapes.items()
        if name not in found
        or found[name][0].shape != shape
        or found[name][1].shape != shape[-1:]
    ]
    if not wrong and strange:
        raise InputError(
            f"{path} does not hold {network.upper()} weights: it has {strange[0]} too"
        )
    if wrong:
        raise InputError(
            f"{path} does not hold {network.upper()} weights: "
            f"{', '.join(wrong[:3])}{' and more' if len(wrong) > 3 else ''}"
            " missing or of another shape"
        )
    if not all(np.isfinite(w).all() for pair in found.values() for w in pair):
        raise InputError(f"{path} is damaged: it holds values that are not finite")
    return found


def first_kernel(path: Path) -> np.ndarray | None:
    """Return the kernel of VGG's first convolution in a file, None if there is none."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            name = "block1_conv1"
            found = _read_named(file, [name]) or _read_ordered(file, [name])
    except Exception:  # As above; `read_weights` says what is wrong.
        return None
    return found[name][0] if name in found else None


def _strange_layers(file: Any, shapes: Mapping[str, Any]) -> list[str]:
    """Return convolutions of a deeper network of the family."""
    root = file.get("model_weights", file)
    ordered = (
        [f"conv2d_{len(shapes)}"]
        if f"conv2d_{len(shapes)}" in file.get("layers", {})
        else []
    )
    named = [n for n in root if n.startswith("block") and "_conv" in n]
    return [n for n in named if n not in shapes] + ordered


def _read_named(file: Any, shapes: Iterable[str]) -> Weights:
    """Read the legacy layout: a group a layer, an attribute orders its arrays."""
    root = file.get("model_weights", file)
    found: Weights = {}
    for name in shapes:
        if name not in root or "weight_names" not in root[name].attrs:
            continue
        group = root[name]
        arrays = [
            np.asarray(group[key], "float32") for key in group.attrs["weight_names"]
        ]
        if len(arrays) == 2:
            found[name] = (arrays[0], arrays[1])
    return found


def _read_ordered(file: Any, shapes: Iterable[str]) -> Weights:
    """Read the Keras 3 layout, which numbers the convolutions."""
    layers = file.get("layers", {})
    found: Weights = {}
    for index, name in enumerate(shapes):
        for key in (name, f"conv2d_{index}" if index else "conv2d"):
            if key in layers and {"0", "1"} <= set(layers[key].get("vars", {})):
                pair = layers[key]["vars"]
                found[name] = (
                    np.asarray(pair["0"], "float32"),
                    np.asarray(pair["1"], "float32"),
                )
                break
    return found
