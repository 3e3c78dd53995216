"""Which loss network `auto` means: VGG-19 where its weights are at hand, else lite."""

import dataclasses
import os
from pathlib import Path

from nst_tf.loss.geometry import GEOMETRIES, Geometry
from nst_tf.settings.loss import ExtractorSettings

_CACHED = "models/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
"""Where Keras keeps its download, below its own folder."""


def choose(settings: ExtractorSettings) -> ExtractorSettings:
    """Return settings that name a network: nothing is downloaded for `auto`.

    A weight file decides by its ending: those that `nst compress` writes end in .npz.
    """
    if settings.network != "auto":
        return settings
    if settings.vgg_weights is not None:
        whole = settings.vgg_weights.suffix != ".npz"
    else:
        whole = bool(os.environ.get("NST_VGG19_WEIGHTS")) or cached().is_file()
    return dataclasses.replace(settings, network="vgg19" if whole else "lite")


def cached() -> Path:
    """Return where Keras keeps VGG-19 once it has been downloaded."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / _CACHED


def geometry_of(settings: ExtractorSettings) -> Geometry:
    """Return the layers of the network that settings mean."""
    return GEOMETRIES[choose(settings).network]
