"""Networks whose maps fit into half precision.

GPUs and neural processors of phones compute in float16, whose largest number is 65,504.
Maps of a trained network come to a thousand and more, the squares in their variances
past that: the variance is infinite, and the picture one grey. Instance normalisation
takes any factor of a map away again. So kernels are divided by powers of two, a channel
each, until the maps are about 4, and what is added to the variances with them: float32
gives the same picture.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from nst_tf.network.encoder import LAYERS, SEEN, StyleEncoder
from nst_tf.network.layers import EPSILON, InstanceNormalization
from nst_tf.network.transform import TransformNetwork

SMALLEST = 2.0**-14
"""The smallest number that half precision has in full; GPUs take less for 0."""
SIZE = 4.0
"""Root mean square that maps get: their largest numbers are some 15 times that, and of
the least variances `SMALLEST` is no share to speak of."""
_SUFFIX = "_norm"
_SAMPLES = 4
"""Pictures that are looked at; factors of 10 between pictures do no harm."""


def map_sizes(
    network: TransformNetwork,
    photos: Sequence[np.ndarray],
    rows: Sequence[Sequence[float]],
) -> dict[str, np.ndarray]:
    """Return how large the maps are that a network normalises.

    Args:
        network: Of the native lowering.
        photos: float32 `[H, W, 3]`, RGB 0..1.
        rows: What it takes as the style of each.

    Returns:
        Root mean squares a channel, `[C]`, the largest of the pictures, by the name of
        the convolution that the map comes from.
    """
    maps = {
        layer.name.removesuffix(_SUFFIX): layer.input[0]
        for layer in network.layers
        if isinstance(layer, InstanceNormalization)
    }
    measured = keras.Model(
        network.input,
        {
            name: keras.ops.mean(keras.ops.square(found), axis=(0, 1, 2))
            for name, found in maps.items()
        },
    )
    squares: dict[str, np.ndarray] = {}
    pairs = list(zip(photos, rows, strict=True))
    for photo, row in pairs[:: max(1, len(pairs) // _SAMPLES)][:_SAMPLES]:
        style = np.asarray([row], "float32")
        found = measured({"image": photo[None], "style": style})
        for name, value in found.items():
            power = keras.ops.convert_to_numpy(value)
            squares[name] = np.maximum(squares.get(name, 0.0), power)
    return {name: np.sqrt(power) for name, power in squares.items()}


def fit_half(network: TransformNetwork, sizes: Mapping[str, np.ndarray]) -> None:
    """Make the maps of a network about `SIZE`, in place.

    Args:
        network: Of any lowering.
        sizes: Of its maps, from `map_sizes`.
    """
    for name, size in sizes.items():
        factor = _power_of_two(size / SIZE)
        layer = network.get_layer(name)
        (kernel,) = layer.get_weights()
        layer.set_weights([(kernel / factor).astype("float32")])
        least = np.maximum(EPSILON / factor**2, SMALLEST).astype("float32")
        network.get_layer(f"{name}{_SUFFIX}").epsilon = least


def half_encoder(
    encoder: StyleEncoder, paintings: Sequence[np.ndarray]
) -> StyleEncoder:
    """Return an encoder of the same vectors, whose maps are about 1.

    A factor of a map goes through its ReLU and pooling to the next convolution.

    Args:
        encoder: A style encoder.
        paintings: What it sees, float32 `[1, H, W, 3]`.
    """
    copy = encoder.rebuilt(dtype=encoder.kind)
    names = [
        name
        for layer, narrow, *_ in LAYERS
        for name in ([f"{layer}_narrow", layer] if narrow else [layer])
    ]
    maps = {name: copy.get_layer(name).output for name in names}
    measured = keras.Model(copy.input, maps)
    looked = [measured(view) for view in paintings[:_SAMPLES]]
    before, factors = 1.0, {}
    for name in names:
        seen = (np.asarray(found[name], "float32") for found in looked)
        size = max(np.sqrt(np.mean(np.square(each))) for each in seen)
        factor = float(_power_of_two(size))
        kernel, *bias = copy.get_layer(name).get_weights()
        scaled = [kernel * (before / factor), *(values / factor for values in bias)]
        copy.get_layer(name).set_weights(scaled)
        before = factors[name] = factor
    copy.get_layer("statistics").factors = tuple(factors[name] for name in SEEN)
    return copy


def _power_of_two(size: np.ndarray) -> np.ndarray:
    """Return the nearest powers of two: by them no digit of a kernel changes."""
    return 2.0 ** np.round(np.log2(np.maximum(size, 1e-6)))
