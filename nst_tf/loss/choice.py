"""Which loss network a run uses: found on this machine, never fetched unasked."""

import dataclasses
import os
from pathlib import Path
from typing import Any, TypeVar

from nst_tf.loss.geometry import GEOMETRIES, Geometry
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, Network

_CACHED = "{network}_weights_tf_dim_ordering_tf_kernels_notop.h5"
"""Name under which Keras keeps what it downloads."""


def variable_of(network: Network) -> str:
    """Return the environment variable that names a network's weight file."""
    return f"NST_{network.upper()}_WEIGHTS"


def find_weights(settings: ExtractorSettings) -> Path | None:
    """Return the weight file of a VGG: given, of the environment, or in Keras' cache.

    Args:
        settings: The network must be vgg19 or vgg16.
    """
    if settings.vgg_weights is not None:
        return settings.vgg_weights
    if named := os.environ.get(variable_of(settings.network)):
        return Path(named)
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    cached = home / "models" / _CACHED.format(network=settings.network)
    return cached if cached.is_file() else None


def choose_network(settings: ExtractorSettings) -> ExtractorSettings:
    """Return settings that name a network: `auto` is VGG-19 if it is here, else lite.

    Raises:
        InputError: What is asked for needs VGG-19, and it is not here.
    """
    if settings.network != "auto":
        return settings
    vgg19 = dataclasses.replace(settings, network="vgg19")
    if find_weights(vgg19) is not None:
        return vgg19
    if settings.pooling != "max":
        raise InputError(
            f"{settings.pooling} pooling needs VGG-19 itself, and its weights are not"
            f" here: nst fetch-weights downloads them, or name a file with"
            f" --vgg-weights PATH or {variable_of('vgg19')}=PATH"
        )
    return dataclasses.replace(settings, network="lite")


Settings = TypeVar("Settings", bound=Any)


def with_network(settings: Settings) -> Settings:
    """Return settings of a run whose extractor names its network."""
    chosen = choose_network(settings.extractor)
    return dataclasses.replace(settings, extractor=chosen)


def geometry_of(settings: ExtractorSettings) -> Geometry:
    """Return the layers of the network that settings choose."""
    return GEOMETRIES[choose_network(settings).network]


def describe_choice(settings: ExtractorSettings) -> str:
    """Return a line on what `auto` chose, empty if there is nothing to say."""
    if settings.network == "auto" and choose_network(settings).network == "lite":
        return (
            "loss network: lite, made from VGG-19, which is not here; nst"
            " fetch-weights downloads it (80 MB)"
        )
    return ""
