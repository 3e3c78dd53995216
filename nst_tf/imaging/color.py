"""Keep the photograph's colours: paint its luminance alone, or match the style to it.

Standard library and numpy only: the runtime of exported models uses it too.

Pictures are float32 `[H, W, 3]`, RGB 0..1, in sRGB. Luminance is YIQ's and the matches
are made on the encoded values, as in the paper: that is what the network sees, and what
the result is compared by. `linear_light` makes the matches on amounts of light instead,
as a change of the lighting would act; but light is far from normally distributed: over
44 pairs (4 photographs, 11 paintings) the symmetric match left the gamut in 8 % of the
values, where the encoded one did in 1 %, and ended with another covariance by 46 %
(encoded 1 %).

References:
    Gatys et al. 2016, https://arxiv.org/abs/1606.05897
    Hertzmann 2001 (image analogies: the form here named pca), appendix B,
    https://mrl.cs.nyu.edu/publications/image-analogies/
    Pitié, Kokaram 2007 (the symmetric form: least change of the colours),
    https://doi.org/10.1049/cp:20070055
    Pitié et al. 2007 (histograms along rotated axes),
    https://doi.org/10.1016/j.cviu.2006.11.011
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nst_tf.settings.optimize import Color

LUMA = np.array([0.299, 0.587, 0.114], "float32")
"""Weights of red, green and blue in the luminance of YIQ."""
_LEAST = 1 / 255**2
"""Variance below which a direction of colour is rounding, not to be amplified."""
_TURNS = 8
"""Random rotations of the axes along which histograms are matched."""
_SAMPLES = 250_000
"""Pixels from which histograms are taken, at most."""
_LEVELS = np.linspace(0.0, 1.0, 1025)
"""Quantiles that describe a histogram."""


def luma(picture: np.ndarray) -> np.ndarray:
    """Return the luminance of `[H, W, 3]`, float32 `[H, W]`."""
    return picture @ LUMA


def grey(plane: np.ndarray) -> np.ndarray:
    """Return `[H, W]` as a picture `[H, W, 3]`."""
    return np.repeat(plane[..., None], 3, axis=-1)


def is_grey(picture: np.ndarray) -> bool:
    """Tell whether red, green and blue of `[H, W, 3]` are equal but for rounding."""
    return bool(np.ptp(picture, axis=-1).max() <= 1.5 / 255)


def luma_range(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how dark and how bright each pixel can be with its colour, `[H, W]` each.

    Keeping I and Q means adding the same to red, green and blue, which ends where the
    first of them leaves 0..1. A saturated colour has little room, pure red none.
    """
    own = luma(photo)
    return own - photo.min(axis=-1), own + (1.0 - photo.max(axis=-1))


def with_luma(photo: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """Return the colours (I and Q) of `photo` with the luminance `plane`, `[H, W]`.

    Where the gamut ends before `plane` is reached the luminance gives way, never the
    colour.
    """
    change = np.clip(plane, *luma_range(photo)) - luma(photo)
    return np.clip(photo + change[..., None], 0.0, 1.0).astype("float32")


def keep_colors(picture: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Return the photograph's colours with the picture's luminance, within the gamut.

    Args:
        picture: float32 `[H, W, 3]`, RGB 0..1; what was painted.
        photo: float32 `[H, W, 3]`, RGB 0..1.

    Reference:
        Gatys et al. 2016 (luminance-only transfer), https://arxiv.org/abs/1606.05897
    """
    return with_luma(photo, luma(picture))


def prepare(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    color: "Color",
    *,
    linear_light: bool = False,
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the photograph and the style images as the optimisation should see them.

    Args:
        content: float32 `[H, W, 3]`, RGB 0..1.
        styles: float32 `[H', W', 3]`, RGB 0..1, each.
        color: `"luminance"` makes all grey, and each painting's luminance gets the
            mean and deviation of the photograph's; a match changes the styles alone.
        linear_light: Match amounts of light instead of sRGB values.
    """
    if color == "off":
        return content, tuple(styles)
    if color == "luminance":
        plane = luma(content)
        planes = [
            match_moments(luma(style)[..., None], plane[..., None])[..., 0]
            for style in styles
        ]
        return grey(plane), tuple(grey(np.clip(x, 0.0, 1.0)) for x in planes)
    if linear_light:
        light = to_linear(content)
        matched = [to_srgb(_match(to_linear(x), light, color)) for x in styles]
    else:
        matched = [_match(style, content, color) for style in styles]
    return content, tuple(np.clip(x, 0.0, 1.0).astype("float32") for x in matched)


def _match(style: np.ndarray, photo: np.ndarray, color: "Color") -> np.ndarray:
    if color == "match-histogram":
        return match_histogram(style, photo)
    return match_moments(style, photo, form=color.removeprefix("match-"))


def match_moments(
    style: np.ndarray, photo: np.ndarray, *, form: str = "symmetric"
) -> np.ndarray:
    """Return `style` with the mean and the covariance of the colours of `photo`.

    The affine map that does so is unique up to a rotation of the colours. Cholesky's
    depends on the order of red, green and blue; pca goes through the principal axes of
    both; symmetric is the one that moves the colours least.

    Args:
        style: float32 `[H, W, C]`.
        photo: float32 `[H', W', C]`.
        form: `"cholesky"`, `"pca"` or `"symmetric"`.

    Returns:
        float32 `[H, W, C]`, not clipped. A direction in which `style` varies by less
        than a step of 8 bits is not stretched to that of `photo`.
    """
    (own, spread), (wanted, target) = _moments(style), _moments(photo)
    values, vectors = np.linalg.eigh(spread)
    values = np.maximum(values, _LEAST)
    spread = (vectors * values) @ vectors.T
    if form == "cholesky":
        inverse = np.linalg.inv(np.linalg.cholesky(spread))
        turn = np.linalg.cholesky(target + 1e-12 * np.eye(len(target))) @ inverse
    else:
        root, inverse = _power(spread, 0.5), _power(spread, -0.5)
        if form == "pca":
            turn = _power(target, 0.5) @ inverse
        else:
            turn = inverse @ _power(root @ target @ root, 0.5) @ inverse
    offset = wanted - turn @ own
    return style @ turn.T.astype("float32") + offset.astype("float32")


def match_histogram(style: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Return `style` with the distribution of the colours of `photo`.

    The histograms are matched along the axes of some rotations of RGB, then along red,
    green and blue themselves: those end up equal, so no value leaves the gamut, and the
    combinations of the three nearly so.

    Args:
        style: float32 `[H, W, 3]`.
        photo: float32 `[H', W', 3]`.

    Returns:
        float32 `[H, W, 3]`, within the range of `photo`.
    """
    draw = np.random.default_rng(0)
    pixels = style.reshape(-1, 3)
    aim = _sample(photo.reshape(-1, 3))
    turns = [np.linalg.qr(draw.standard_normal((3, 3)))[0] for _ in range(_TURNS)]
    for turn in [*turns, np.eye(3)]:
        axes = turn.astype("float32")
        turned, wanted = pixels @ axes, aim @ axes
        sample = _sample(turned)
        for axis in range(3):
            turned[:, axis] = np.interp(
                turned[:, axis],
                np.quantile(sample[:, axis], _LEVELS),
                np.quantile(wanted[:, axis], _LEVELS),
            )
        pixels = turned @ axes.T
    return pixels.reshape(style.shape)


def to_linear(values: np.ndarray) -> np.ndarray:
    """Decode sRGB values 0..1 to amounts of light 0..1."""
    low = values <= 0.04045
    return np.where(low, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Encode amounts of light as sRGB values; below 0 and above 1 are clipped."""
    light = np.clip(light, 0.0, 1.0)
    low = light <= 0.0031308
    return np.where(low, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _moments(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean `[C]` and covariance `[C, C]` of `[H, W, C]` in float64."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    mean = flat.mean(axis=0, dtype="float64")
    products = np.einsum("ni,nj->ij", flat, flat, dtype="float64") / len(flat)
    return mean, products - np.outer(mean, mean)


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Return a power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T


def _sample(pixels: np.ndarray) -> np.ndarray:
    """Return every so many of `[n, 3]`."""
    return pixels[:: max(1, -(-len(pixels) // _SAMPLES))]
