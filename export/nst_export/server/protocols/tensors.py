"""The three signatures of an exported model, for the protocols that send tensors."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nst_export.runtime.mix import STRONGEST
from nst_export.server.models import Served
from nst_export.server.service import HttpError
from nst_export.server.settings import ServeSettings
from nst_tf.imaging.read import decode_image
from nst_tf.imaging.write import encode_image, to_bytes
from nst_tf.settings.checks import MIN_SIDE, InputError


class Signature(NamedTuple):
    """Names and kinds of a signature's tensors, as in the exported SavedModel.

    Attributes:
        image: Name of the input.
        picture: Name of the output.
        dtype: NumPy's name; bytes for encoded pictures.
    """

    image: str
    picture: str
    dtype: str


SIGNATURES = {
    "serving_default": Signature("image", "picture", "float32"),
    "uint8": Signature("image", "picture", "uint8"),
    "bytes": Signature("image_bytes", "picture_bytes", "bytes"),
}
"""float32 RGB 0..1, uint8 RGB 0..255, encoded pictures in and PNG out."""


def to_array(value: Any, dtype: str, name: str) -> np.ndarray:
    """Return a tensor of nested lists.

    Raises:
        HttpError: Ragged, a scalar, no numbers, out of the type's range, not finite.
    """
    try:
        array = np.asarray(value)
        if not array.ndim:
            raise ValueError("a list is needed")
        if dtype == "uint8":
            whole = np.issubdtype(array.dtype, np.integer)
            if not whole or array.min() < 0 or array.max() > 255:
                raise ValueError("whole numbers in 0..255 are needed")
            return array.astype("uint8")
        if array.dtype.kind not in "iuf":
            raise ValueError("numbers are needed")
        with np.errstate(over="ignore"):  # To infinity, which is refused later.
            return array.astype("float32")
    except (TypeError, ValueError, OverflowError) as error:
        raise HttpError(400, f"{name} is no {dtype} tensor: {error}") from error


def check_style(style: np.ndarray, model: Served, batch: int) -> None:
    """Raise HttpError if `style` is not `[batch, N + 1]` of shares that sum to 1."""
    shape = (batch, len(model.styles) + 1)
    if style.shape != shape:
        names = ", ".join(model.styles)
        raise HttpError(
            400,
            f"style must have the shape {list(shape)} (photograph, {names}), got"
            f" {list(style.shape)}",
        )
    if not np.isfinite(style).all():
        raise HttpError(400, "style holds values that are not finite")
    least = [1 - STRONGEST, *[0] * len(model.styles)]
    if (style < least).any() or np.abs(style.sum(1) - 1).max() > 1e-3:
        raise HttpError(
            400,
            f"the weights of style must be 0 or more ({least[0]} the photograph's own,"
            " the first) and sum to 1 in every row",
        )


def check_image(image: np.ndarray, settings: ServeSettings) -> None:
    """Raise HttpError if `image` is not `[B, H, W, 3]` of a size that is painted."""
    if image.ndim != 4 or image.shape[3] != 3 or not image.size:
        raise HttpError(
            400, f"image must have the shape [B, H, W, 3], got {list(image.shape)}"
        )
    batch, height, width, _ = image.shape
    most = settings.max_size
    if min(height, width) < MIN_SIDE or max(height, width) > most:
        raise HttpError(
            400, f"sides must be in {MIN_SIDE}..{most} pixels, got {width}x{height}"
        )
    if batch * height * width > most * most:
        raise HttpError(
            400,
            f"a batch must hold at most {most * most} pixels, got"
            f" {batch * height * width}; send several requests",
        )
    if image.dtype == np.float32:
        if not np.isfinite(image).all():
            raise HttpError(400, "image holds values that are not finite")
        if image.min() < -1e-3 or image.max() > 1 + 1e-3:
            raise HttpError(
                400,
                f"image must be RGB in 0..1, got {image.min():g}..{image.max():g};"
                " divide bytes by 255 or send uint8",
            )


def paint(
    model: Served,
    worker: int,
    image: np.ndarray | Sequence[bytes],
    style: np.ndarray,
    settings: ServeSettings,
    check: Callable[[], None],
) -> np.ndarray | list[bytes]:
    """Run a model on a batch.

    Args:
        model: The model.
        worker: Number of the worker that runs this.
        image: float32 or uint8 `[B, H, W, 3]`, or B encoded pictures.
        style: float32 `[B, N + 1]`.
        settings: The limits.
        check: Called before every picture, see `Service.ends`.

    Returns:
        A batch of the same kind; encoded pictures are PNG.

    Raises:
        HttpError: The batch breaks a limit.
    """
    stylizer = model.stylizers[worker]
    check_style(style, model, len(image))
    if isinstance(image, np.ndarray):
        check_image(image, settings)
        pictures = []
        for one, weights in zip(image, style, strict=True):
            check()
            pictures.append(stylizer(one, weights.tolist(), draft=None))
            model.statistics.painted()
        batch = np.stack(pictures)
        return to_bytes(batch) if image.dtype == np.uint8 else batch
    answers, left = [], settings.max_size**2
    for data, weights in zip(image, style, strict=True):
        check()
        try:
            photo = decode_image(data, max_pixels=left).pixels
        except InputError as error:
            raise HttpError(400, str(error)) from error
        check_image(photo[None], settings)
        left -= photo.shape[0] * photo.shape[1]
        picture = stylizer(photo, weights.tolist(), draft=None)
        model.statistics.painted()
        answers.append(encode_image(picture, "PNG"))
    return answers
