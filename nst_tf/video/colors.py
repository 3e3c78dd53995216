"""Pixels of a film to RGB and back, by its own matrix and range.

A file that doesn't say how it stores colours is read as players do: BT.709 from 720
lines or 1280 columns on, else BT.601, limited range. What is written says it.
"""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from nst_tf.imaging.resize import resize
from nst_tf.imaging.write import to_integers
from nst_tf.video.film import Colors

if TYPE_CHECKING:
    import av

_SWS = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""What swscale calls the matrices of a file (BT.709, FCC, BT.601 twice, SMPTE 240M,
BT.2020)."""
_RANGE = {False: 1, True: 2}
_FORMATS = {
    (False, False): "rgb24",
    (False, True): "rgb48le",
    (True, False): "rgba",
    (True, True): "rgba64le",
}
"""What frames are read as: with alpha or not, of more than 8 bits or not."""
_RGB, _UNSAID = 0, 2
_KEPT = threading.local()


def colors_of(frame: "av.VideoFrame") -> Colors:
    """Return how a frame stores its colours, guessed where it doesn't say."""
    large = frame.width >= 1280 or frame.height >= 720
    matrix = int(frame.colorspace)
    if matrix not in _SWS:
        matrix = 1 if large else 6
    full = int(frame.color_range) == 2 and not _is_rgb(frame)
    # yuvj420p and its kin: the full range, said by the format alone.
    full = full or frame.format.name.startswith("yuvj")
    return Colors(
        matrix=matrix,
        full=full,
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
    )


def is_deep(frame: "av.VideoFrame") -> bool:
    """Tell whether a value of a frame has more than 8 bits."""
    return any(part.bits > 8 for part in frame.format.components)


def to_pixels(
    frame: "av.VideoFrame",
    colors: Colors,
    *,
    deep: bool,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Return a decoded frame as float32 `[H, W, 3]`, RGB 0..1, on white.

    Args:
        frame: As it was decoded.
        colors: How it stores them.
        deep: Whether to keep more than 8 bits.
        size: Width and height to bring it to; None leaves it as large as it is.
    """
    stored = frame.width, frame.height
    size = size or stored
    clear = any(part.is_alpha for part in frame.format.components)
    # What hides under transparent pixels is not to be mixed with what shows.
    width, height = stored if clear else size
    resized = (width, height) != stored
    if not _is_rgb(frame):
        frame.colorspace = colors.matrix
        frame.color_range = _RANGE[colors.full]
    rgb = _reformatter().reformat(
        frame,
        width=width,
        height=height,
        format=_FORMATS[clear, deep],
        src_colorspace=None if _is_rgb(frame) else _SWS[colors.matrix],
        interpolation=_filter("LANCZOS" if resized else "BICUBIC"),
        dst_color_range=2,
    )
    white = _deep_white(colors, rgb=_is_rgb(frame)) if deep else 255.0
    scale = np.float32(1.0 / white)
    values = np.multiply(rgb.to_ndarray(), scale, dtype="float32")
    if deep:
        np.minimum(values, 1.0, out=values)
    if clear:
        values = resize(
            values[..., :3] * values[..., 3:] + 1.0 - values[..., 3:], *size
        )
    return values


def to_frame(
    pixels: np.ndarray, colors: Colors, pixel_format: str, *, deep: bool
) -> "av.VideoFrame":
    """Return float32 `[H, W, 3]`, RGB 0..1, as a frame to encode."""
    import av

    white = _deep_white(colors, rgb=_holds_rgb(pixel_format)) if deep else 255.0
    kind, dtype = ("rgb48le", "uint16") if deep else ("rgb24", "uint8")
    rgb = av.VideoFrame.from_ndarray(
        np.ascontiguousarray(to_integers(pixels, white, dtype)), kind
    )
    rgb.color_range = 2
    found = _reformatter().reformat(
        rgb,
        format=pixel_format,
        dst_colorspace=_SWS[colors.matrix],
        interpolation=_filter(),
        dst_color_range=_RANGE[colors.full],
    )
    if not _is_rgb(found):
        found.colorspace, found.color_range = colors.matrix, _RANGE[colors.full]
    found.color_primaries, found.color_trc = colors.primaries, colors.transfer
    return found


def tag(context: Any, colors: Colors) -> None:
    """Make an encoder say in the file how colours are stored."""
    context.colorspace = colors.matrix
    context.color_range = _RANGE[colors.full]
    context.color_primaries = colors.primaries
    context.color_trc = colors.transfer


def _deep_white(colors: Colors, *, rgb: bool) -> float:
    """Return the white of swscale's 16-bit RGB beside a frame's format.

    RGB is scaled to all 16 bits; of YUV white is a shifted 255 or a shifted 1023.
    """
    if rgb:
        return 65535.0
    return 1023.0 * 64 if colors.full else 255.0 * 256


def _holds_rgb(pixel_format: str) -> bool:
    from av.video.format import VideoFormat

    return bool(VideoFormat(pixel_format).is_rgb)


def _is_rgb(frame: "av.VideoFrame") -> bool:
    return frame.format.is_rgb


def _reformatter() -> Any:
    """Return this thread's own, which keeps its tables from one frame to the next.

    Making them takes as long as converting a frame of 640x360.
    """
    from av.video.reformatter import VideoReformatter

    if not hasattr(_KEPT, "reformatter"):
        _KEPT.reformatter = VideoReformatter()
    return _KEPT.reformatter


def _filter(name: str = "BICUBIC") -> Any:
    from av.video.reformatter import Interpolation

    return (
        Interpolation[name]
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.FULL_CHR_H_INP
    )
