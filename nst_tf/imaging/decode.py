"""Pixels of an opened file: upright, in sRGB, alpha apart."""

import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

from nst_tf.imaging.picture import Picture


def decode(file: Image.Image) -> Picture:
    """Return what a loaded file shows, composed on white where it is transparent.

    Raises:
        ValueError: It holds floats that are not finite.
    """
    upright: Image.Image = ImageOps.exif_transpose(file)
    if is_deep(upright):
        return Picture(_decode_deep(upright), None)
    alpha = None
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        alpha = np.asarray(upright.getchannel("A"), "float32") / 255.0
        upright = upright.convert("RGB")
    upright = convert_to_srgb(upright, file.info.get("icc_profile"))
    pixels = np.asarray(upright.convert("RGB"), "float32") / 255.0
    if alpha is not None:
        # What transparency hides may be any garbage, which a style would amplify.
        pixels = pixels * alpha[..., None] + (1.0 - alpha[..., None])
    return Picture(pixels, alpha)


def is_deep(image: Image.Image) -> bool:
    """Tell whether an image is grey with more than 8 bits: integers or floats."""
    return image.mode.startswith("I") or image.mode == "F"


def convert_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Return the image in sRGB by its ICC profile, as it is without a usable one."""
    if image.mode in ("1", "P", "LA", "PA"):
        image = image.convert("RGB" if image.mode != "1" else "L")
    if not icc:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        converted = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # A profile that does not fit the pixels: viewers ignore it too.
    return converted if converted is not None else image


def _decode_deep(image: Image.Image) -> np.ndarray:
    grey = np.asarray(image, "float32")
    # Pillow gives 16-bit grey as 0..65535, whatever integer mode it chose.
    grey = grey / 65535.0 if image.mode.startswith("I") else grey
    if not np.isfinite(grey).all():
        raise ValueError("it holds values that are not finite")
    grey = np.clip(grey, 0.0, 1.0)
    return np.repeat(grey[..., None], 3, axis=-1)
