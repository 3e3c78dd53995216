"""What a layer of the network responds to, and what it keeps of a picture.

References:
    Zeiler, Fergus 2013 (the nine patches), https://arxiv.org/abs/1311.2901
    Mahendran, Vedaldi 2015 (a picture from its features),
    https://arxiv.org/abs/1412.0035
    Gatys et al. 2015, figure 1, https://arxiv.org/abs/1508.06576
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from nst_tf.loss.extractor import Extractor
from nst_tf.loss.geometry import GEOMETRIES
from nst_tf.settings.checks import InputError
from nst_tf.settings.loss import ExtractorSettings, LossSettings, Network, Part
from nst_tf.settings.optimize import OptimizeSettings

_BEYOND = 0.5
"""Grey that stands for what lies outside a photograph."""


class Patch(NamedTuple):
    """What excites a unit.

    Attributes:
        activation: The unit's value there.
        photo: Name of the photograph.
        row: First row of the patch in the photograph as it was looked at.
        column: First column.
        pixels: float32 `[size, size, 3]`, RGB 0..1; grey outside the photograph.
    """

    activation: float
    photo: str
    row: int
    column: int
    pixels: np.ndarray


def compute_features(extractor: Extractor, layer: str, image: np.ndarray) -> Any:
    """Return the feature maps of an image, float32 `[h, w, C]`.

    Args:
        extractor: From `build_extractor`, with that layer.
        layer: Its name.
        image: float32 `[H, W, 3]`, RGB 0..1.
    """
    features = extractor(ops.convert_to_tensor(image[None]))[layer][0]
    return ops.convert_to_numpy(ops.cast(features, "float32"))


def strongest_units(features: np.ndarray, count: int) -> list[int]:
    """Return the channels of `[h, w, C]` with the largest mean, strongest first."""
    order = np.argsort(-features.mean(axis=(0, 1)), kind="stable")
    return [int(unit) for unit in order[:count]]


def check_units(units: Sequence[int], layer: str, *, network: Network) -> None:
    """Raise InputError for units that a layer does not have."""
    channels = GEOMETRIES[network][layer].channels
    wrong = [str(unit) for unit in units if not 0 <= unit < channels]
    if wrong:
        raise InputError(
            f"{layer} has the units 0 to {channels - 1}; there is no unit"
            f" {', '.join(wrong)}"
        )


def check_size(
    image: np.ndarray, layer: str, settings: ExtractorSettings, name: str
) -> None:
    """Raise InputError for an image `[H, W, 3]` of which a layer has no features."""
    least = GEOMETRIES[settings.network].receptive_field(layer).stride
    if settings.padding == "reflect":  # A position cannot be mirrored about itself.
        least *= 2
    height, width = image.shape[:2]
    if min(height, width) < least:
        raise InputError(
            f"{name} is {width}x{height} pixels when it is looked at; for {layer} each"
            f" side needs {least}: choose a larger size or crop it"
        )


def find_patches(
    extractor: Extractor,
    layer: str,
    units: Sequence[int],
    photos: Iterable[tuple[str, np.ndarray]],
    *,
    count: int = 9,
    observer: Callable[[str], None] | None = None,
) -> dict[int, list[Patch]]:
    """Return for each unit the patches that excite it most, the strongest first.

    One patch of a photograph at most, so that many are seen, and none to which the
    unit does not respond.

    Args:
        extractor: From `build_extractor`, with that layer.
        layer: Its name.
        units: Channels of the layer.
        photos: Name and float32 `[H, W, 3]`, RGB 0..1, of each photograph.
        count: Patches a unit.
        observer: Called with the name after each photograph.
    """
    field = extractor.geometry.receptive_field(layer)
    best: dict[int, list[Patch]] = {unit: [] for unit in units}
    for name, photo in photos:
        features = compute_features(extractor, layer, photo)
        for unit in units:
            plane = features[..., unit]
            y, x = np.unravel_index(plane.argmax(), plane.shape)
            value = float(plane[y, x])
            least = best[unit][-1].activation if len(best[unit]) == count else 0.0
            if value <= least:
                continue
            row, column = (int(i) * field.stride + field.start for i in (y, x))
            patch = Patch(
                value, name, row, column, _crop(photo, row, column, field.size)
            )
            ranked = sorted([*best[unit], patch], key=lambda p: -p.activation)
            best[unit] = ranked[:count]
        if observer is not None:
            observer(name)
    return best


def _crop(photo: np.ndarray, row: int, column: int, size: int) -> np.ndarray:
    """Cut a square that may reach beyond the photograph."""
    patch = np.full((size, size, 3), _BEYOND, "float32")
    height, width = photo.shape[:2]
    top, left = max(0, row), max(0, column)
    part = photo[top : min(height, row + size), left : min(width, column + size)]
    y, x = top - row, left - column
    patch[y : y + part.shape[0], x : x + part.shape[1]] = part
    return patch


def reconstruction(
    part: Part,
    layer: str,
    *,
    size: int,
    steps: int,
    seed: int = 0,
    extractor: ExtractorSettings | None = None,
) -> OptimizeSettings:
    """Return the settings that rebuild a picture from one layer, beginning with noise.

    Give the picture to `optimize_image` both as photograph and as style. From the
    content of a layer comes what its features say of the place of things, from the
    style what their Gram matrix says of the texture.

    Differs from the papers: every term is relative to its target and a little total
    variation is added, so that one setting serves all layers.
    """
    layers: tuple[str, ...] = (layer,)
    loss = LossSettings(
        convention="relative",
        content_layers=layers if part == "content" else (),
        style_layers=layers if part == "style" else (),
        content_weight=float(part == "content"),
        style_weight=float(part == "style"),
        tv_weight=1e-6,
        palette=0.0,
    )
    return OptimizeSettings(
        size=size,
        scales=1,
        steps=steps,
        schedule="whole",
        init="noise",
        seed=seed,
        loss=loss,
        extractor=extractor or ExtractorSettings(),
    )
