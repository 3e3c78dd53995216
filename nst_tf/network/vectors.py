"""Styles as vectors: all scales and shifts of a network's normalisations, in a row.

A vector is a style of its own, whether it was trained, tuned or found by an encoder;
sums of vectors with shares are blends, and the photograph's own vector in them makes a
style weaker.

Reference:
    Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629
"""

import dataclasses
import hashlib
from typing import Any

import keras
import numpy as np

from nst_tf.network.encoder import PaintingColors, StyleEncoder
from nst_tf.network.layers import (
    ConditionalInstanceNormalization,
    VectorInstanceNormalization,
)
from nst_tf.network.transform import TransformNetwork


def by_vectors(network: TransformNetwork) -> TransformNetwork:
    """Return a network with the same kernels that takes vectors of styles.

    Its input `style` is float32 `[B, 1 + S]`: the photograph's share, and the vector.
    """
    return with_kernels(network, vectors=True)


def with_kernels(network: TransformNetwork, **changes: Any) -> TransformNetwork:
    """Return a network with the same kernels, whose styles are given in another form.

    Args:
        network: Whose kernels are taken.
        **changes: To its settings, such as another number of styles, whose rows then
            are those of a new network.
    """
    settings = dataclasses.replace(network.settings, **changes)
    copy = TransformNetwork(settings, tiles=network.tiles)
    for layer in copy.layers:
        if layer.weights and not isinstance(layer, ConditionalInstanceNormalization):
            layer.set_weights(network.get_layer(layer.name).get_weights())
    return copy


def vectors_of(network: TransformNetwork) -> np.ndarray:
    """Return the vectors of a network's rows, float32 `[N, S]`, the styles in order.

    Where the strength is trained the first is the photograph's own.
    """
    rows = next(layer.gamma for layer in _normalizations(network)).shape[0]
    found = np.zeros((rows, vector_length(network)), "float32")
    for layer, place in _places(network):
        found[:, place] = np.concatenate(layer.get_weights(), axis=1)
    return found


def own_and_styles(network: TransformNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Return the photograph's own vector and those of the styles, `[1, S]`, `[N, S]`.

    Where the strength is not trained there is no vector of the photograph: `[0, S]`.
    """
    found = vectors_of(network)
    first = int(bool(network.settings.trained_strength))
    return found[:first], found[first:]


def put_vectors(network: TransformNetwork, vectors: np.ndarray) -> None:
    """Make vectors, `[N, S]`, a network's rows; the inverse of `vectors_of`."""
    for layer, place in _places(network):
        layer.set_weights(np.split(vectors[:, place], 2, axis=1))


def vector_length(network: TransformNetwork) -> int:
    """Return S, the numbers of a vector."""
    return 2 * sum(layer.gamma.shape[-1] for layer in _normalizations(network))


def vector_encoder(encoder: StyleEncoder, network: TransformNetwork) -> keras.Model:
    """Return an encoder that gives vectors of styles, not weights of rows.

    Of the scale and shift of the picture's own channels half is what the encoder says,
    half what the painting itself has; see `PaintingColors`.

    Args:
        encoder: From paintings to weights of the network's rows.
        network: That the encoder was trained with.

    Returns:
        A model from `{"painting": float32 [B, H, W, 3]}`, RGB 0..1, to
        `{"vector": float32 [B, S]}`.
    """
    _, rows = own_and_styles(network)
    dense = keras.layers.Dense(
        rows.shape[1], use_bias=False, dtype="float32", name="rows"
    )
    vector = dense(encoder.output)
    dense.set_weights([rows])
    if _normalizations(network)[-1].gamma.shape[-1] == encoder.input.shape[-1]:
        vector = PaintingColors(name="colors")(vector, encoder.input)
    return keras.Model({"painting": encoder.input}, {"vector": vector})


def kernels_hash(network: TransformNetwork) -> str:
    """Return what tells whether vectors fit a network: a hash of all but its rows."""
    digest = hashlib.sha256()
    for layer in sorted(network.layers, key=lambda layer: str(layer.name)):
        if not isinstance(layer, ConditionalInstanceNormalization):
            for weights in layer.get_weights():
                digest.update(np.ascontiguousarray(weights, "float32").tobytes())
    return digest.hexdigest()[:16]


def _normalizations(network: TransformNetwork) -> list[Any]:
    kind = ConditionalInstanceNormalization
    return [layer for layer in network.layers if isinstance(layer, kind)]


def _places(network: TransformNetwork) -> list[tuple[Any, slice]]:
    """Return every normalisation with its part of a vector, as `by_vectors` has it."""
    shape = dataclasses.replace(network.settings, vectors=True)
    found = []
    for layer in TransformNetwork(shape).layers:
        if isinstance(layer, VectorInstanceNormalization):
            mine = network.get_layer(layer.name)
            first = layer.first - 1
            found.append((mine, slice(first, first + 2 * mine.gamma.shape[-1])))
    return found
