"""A small network as after training, and its card."""

import keras
import numpy as np

from nst_tf import NetworkSettings, build_network
from nst_tf.imaging.seen import seen
from nst_tf.network.encoder import StyleEncoder
from nst_tf.network.vectors import put_vectors, vectors_of

STYLES = 2
TRAINED = {
    "program": "nst-tf",
    "name": "pair",
    "styles": [
        {"name": "night", "credit": "A. Painter", "licence": "public domain"},
        {"name": "wave", "credit": "", "licence": ""},
    ],
    "recipe": {"width": 0.125},
    "step": 7,
    "seconds": 1,
}

LIMITS = {
    "pair.tflite": 1e-4,
    "pair-float16.tflite": 2e-2,
    "pair-int8.tflite": 0.2,
    "pair.onnx": 5e-2,  # OpenVINO, in bfloat16 where the processor has it.
    "saved_model/pair/1": 1e-5,
}
"""The files of an export, and how much they may differ from Keras."""


def trained_network(width=0.125):
    """A network whose norms differ between styles, as after training."""
    keras.utils.set_random_seed(1)
    network = build_network(NetworkSettings(styles=STYLES, width=width))
    draw = np.random.default_rng(0)
    for layer in network.layers:
        if layer.name.endswith("_norm"):
            noise = [0.3 * draw.standard_normal(w.shape) for w in layer.get_weights()]
            layer.set_weights(
                [w + n for w, n in zip(layer.get_weights(), noise, strict=True)]
            )
    return network


NUMBERS = 5
"""Numbers that the encoder of `any_network` weighs its rows by."""


def any_network():
    """A network for any painting and its encoder, as after training."""
    network = build_network(
        NetworkSettings(styles=NUMBERS, width=0.125, trained_strength=True)
    )
    vectors = vectors_of(network)
    draw = np.random.default_rng(3)
    put_vectors(network, vectors + 0.3 * draw.standard_normal(vectors.shape))
    keras.utils.set_random_seed(2)
    return network, StyleEncoder(NUMBERS)


def expected(network, photo, weights):
    """Return what Keras paints, float32 `[H, W, 3]`."""
    inputs = {"image": photo[None], "style": np.asarray([weights], "float32")}
    return keras.ops.convert_to_numpy(network(inputs))[0]


def vector_of(network, encoder, art):
    """What a painting is: half of its colours are its own, as numpy measures them."""
    view = seen(art)
    weights = keras.ops.convert_to_numpy(encoder(view))[0]
    vector = weights @ vectors_of(network)[1:]
    inside = np.clip(view[0].reshape(-1, 3), 0.02, 0.98)
    logits = np.log(inside / (1 - inside))
    vector[-6:] = (vector[-6:] + np.append(logits.std(axis=0), logits.mean(axis=0))) / 2
    return vector
