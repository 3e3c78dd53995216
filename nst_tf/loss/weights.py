"""Loading the ImageNet weights of VGG-16 and VGG-19, from a file or by a download."""

import contextlib
import sys

import keras
import numpy as np

from nst_tf.loss.choice import find_weights, variable_of
from nst_tf.loss.weight_files import Weights, layer_shapes, read_weights
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, Network


def load_weights(settings: ExtractorSettings) -> Weights:
    """Return the weights from the given file, the environment or the Keras download.

    Raises:
        InputError: There is no file and no network, or the file is not one of this
            network's weights.
    """
    path = find_weights(settings)
    if path is not None:
        return read_weights(path, settings.network)
    return fetch_weights(settings.network)


def fetch_weights(network: Network) -> Weights:
    """Download a VGG's weights with Keras, which checks and keeps them.

    Raises:
        InputError: There is no network.
    """
    variable = variable_of(network)
    models = keras.applications
    build = models.VGG19 if network == "vgg19" else models.VGG16
    try:
        # Keras tells of the download on standard output, which is a command's own.
        with contextlib.redirect_stdout(sys.stderr):
            model = build(include_top=False, weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception without a network.
        raise InputError(
            f"no {network.upper()} weights: the Keras download failed ({error}). Either"
            " connect to the network once, so that Keras keeps the file in its cache,"
            f" or name a file with --vgg-weights PATH or {variable}=PATH"
        ) from error
    weights: Weights = {}
    for name in layer_shapes(network):
        kernel, bias = model.get_layer(name).get_weights()
        weights[name] = (np.asarray(kernel), np.asarray(bias))
    return weights
