"""A trained network with one style more, whose other weights keep their bits."""

import keras
import numpy as np

from nst_tf.network.layers import ConditionalInstanceNormalization


def adopt(network: keras.Model, base: keras.Model) -> None:
    """Take over a network with one style less; leave only the norms trainable."""
    for layer in network.layers:
        if isinstance(layer, ConditionalInstanceNormalization):
            rows = [np.asarray(value) for value in base.get_layer(layer.name).weights]
            # The new style starts as the mean of those there are.
            layer.set_weights(
                [np.concatenate([r, r.mean(axis=0, keepdims=True)]) for r in rows]
            )
        else:
            layer.set_weights(base.get_layer(layer.name).get_weights())
            layer.trainable = False


def keep_rows(network: keras.Model, base: keras.Model) -> None:
    """Put the rows of all styles but the last back to those of the base."""
    for layer in network.layers:
        if isinstance(layer, ConditionalInstanceNormalization):
            old = base.get_layer(layer.name).get_weights()
            layer.set_weights(
                [
                    np.concatenate([rows, new[-1:]])
                    for rows, new in zip(old, layer.get_weights(), strict=True)
                ]
            )
