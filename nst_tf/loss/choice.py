"""Which loss network a run uses: found on this machine, never fetched unasked."""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nst_tf.loss.geometry import GEOMETRIES, Geometry
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, Network

BOTH: Network = "lite-vgg19"
LAST_SHARE = 0.2
"""Part of a run, its last, that looks through the second of two networks."""
LITE = Path(__file__).with_name("lite.npz")
"""The compressed network that ships."""
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


def made_lite(path: Path) -> bool:
    """Tell whether lite was made from the weights of a file: else it is no help.

    Its card has the hash of the first convolution's kernel.
    """
    from nst_tf.loss.lite_weights import read_card
    from nst_tf.loss.weight_files import first_kernel

    kernel = first_kernel(path)
    if kernel is None or not LITE.is_file():
        return False
    return bool(read_card(LITE).get("first_kernel") == hash_kernel(kernel))


def hash_kernel(kernel: np.ndarray) -> str:
    """Return the SHA-256 of a kernel's float32 values, in hexadecimal."""
    return hashlib.sha256(kernel.astype("<f4").tobytes()).hexdigest()


def choose_network(settings: ExtractorSettings) -> ExtractorSettings:
    """Return settings that name their network, where `auto` may stand.

    It is lite, then VGG-19 if the weights of that are here, else lite. Weights that
    lite was not made from are used alone.

    Raises:
        InputError: What is asked for needs VGG-19, and it is not here.
    """
    if settings.network != "auto":
        return settings
    vgg19 = dataclasses.replace(settings, network="vgg19")
    path = find_weights(vgg19)
    if path is not None:
        both = settings.pooling == "max" and made_lite(path)
        return dataclasses.replace(settings, network=BOTH) if both else vgg19
    if settings.pooling != "max":
        raise InputError(
            f"{settings.pooling} pooling needs VGG-19 itself, and its weights are not"
            f" here: nst fetch-weights downloads them, or name a file with"
            f" --vgg-weights PATH or {variable_of('vgg19')}=PATH"
        )
    return dataclasses.replace(settings, network="lite")


Settings = TypeVar("Settings", bound=Any)


def with_network(settings: Settings) -> Settings:
    """Return settings of a run whose extractor names its network.

    A run has VGG-19 alone where `auto` would be two networks if its loss looks at a
    layer that lite has not, or if every evaluation counts in full (schedule whole), as
    in published recipes.
    """
    chosen = choose_network(settings.extractor)
    deeper = set(settings.loss.layers).difference(GEOMETRIES["lite"].names)
    whole = getattr(settings, "schedule", None) == "whole"
    both = settings.extractor.network == "auto" and chosen.network == BOTH
    if both and (deeper or whole):
        chosen = dataclasses.replace(chosen, network="vgg19")
    return dataclasses.replace(settings, extractor=chosen)


def with_last_network(settings: Settings) -> Settings:
    """Return settings of a short run, that looks through the last network alone.

    A second one takes as long to prepare as such a run itself.
    """
    settings = with_network(settings)
    network = networks_of(settings.extractor)[-1]
    extractor = dataclasses.replace(settings.extractor, network=network)
    return dataclasses.replace(settings, extractor=extractor)


def networks_of(settings: ExtractorSettings) -> tuple[Network, ...]:
    """Return the networks that a run looks through, one after the other."""
    network = choose_network(settings).network
    return ("lite", "vgg19") if network == BOTH else (network,)


def geometry_of(settings: ExtractorSettings) -> Geometry:
    """Return the layers of the network that settings choose, of several the last.

    Of a compressed network of one's own they are those that its file has.

    Raises:
        InputError: There is no such file, or it is no compressed network.
    """
    network = networks_of(settings)[-1]
    if network != "lite" or settings.lite_weights is None:
        return GEOMETRIES[network]
    from nst_tf.loss.lite_weights import read_names

    held = read_names(settings.lite_weights)
    layers = [layer for layer in GEOMETRIES["lite"].layers if layer.name in held]
    return Geometry("lite", tuple(layers))


def describe_choice(settings: ExtractorSettings) -> str:
    """Return a line on what `auto` chose, empty if there is nothing to say."""
    if settings.network == "auto" and choose_network(settings).network == "lite":
        return (
            "loss network: lite, made from VGG-19, which is not here; nst"
            " fetch-weights downloads it (80 MB)"
        )
    return ""
