"""Pictures laid out in a grid, each with a line or two of text below it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nst_tf.imaging.resize import fit, resize
from nst_tf.imaging.write import to_bytes

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_MARGIN = 8
_INK, _PAPER = (32, 32, 36), (255, 255, 255)


class Cell(NamedTuple):
    """One picture of a sheet.

    Attributes:
        pixels: float32 `[H, W, 3]`, or `[H, W]` for grey; RGB 0..1.
        label: Text below it; lines end with a newline.
    """

    pixels: np.ndarray
    label: str


def draw_sheet(
    cells: Sequence[Cell], *, columns: int, side: int, title: str = ""
) -> np.ndarray:
    """Return the cells as one picture, row by row, float32 `[H, W, 3]`, RGB 0..1.

    Args:
        cells: From left to right, row by row.
        columns: Cells of a row.
        side: Long side of each picture in pixels; small ones are enlarged, so that
            their pixels show.
        title: A line above the grid.
    """
    font = ImageFont.load_default(max(11, side // 14))
    line = round(1.4 * (font.getbbox("0")[3] - font.getbbox("0")[1])) + 6
    pictures = [_fitted(cell.pixels, side) for cell in cells]
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    high = max(picture.shape[0] for picture in pictures)
    high += line * max(1 + cell.label.count("\n") for cell in cells) + 2 * _MARGIN
    top = line + 2 * _MARGIN if title else _MARGIN
    width = columns * (side + _MARGIN) + _MARGIN
    canvas = Image.new("RGB", (width, top + rows * high), _PAPER)
    draw = ImageDraw.Draw(canvas)
    if title:
        draw.text((_MARGIN, _MARGIN), _cut(title, font, width), _INK, font=font)
    for index, (cell, picture) in enumerate(zip(cells, pictures, strict=True)):
        x = _MARGIN + index % columns * (side + _MARGIN)
        y = top + index // columns * high
        canvas.paste(Image.fromarray(to_bytes(picture)), (x, y))
        y += picture.shape[0] + _MARGIN // 2
        for number, text in enumerate(cell.label.splitlines()):
            place = (x, y + number * line)
            draw.text(place, _cut(text, font, side), _INK, font=font)
    return np.asarray(canvas, "float32") / 255.0


def _fitted(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return a picture with `side` pixels on the long side, in colour."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    height, width = pixels.shape[:2]
    times = side // max(height, width)
    if times > 1:  # Whole pixels, not a blur of them.
        return pixels.repeat(times, axis=0).repeat(times, axis=1)
    return resize(pixels, *fit(width, height, side, "long"))


def _cut(text: str, font: Font, width: int) -> str:
    """Shorten a text until it fits."""
    while text and font.getlength(text) > width:
        text = text[:-2] + "…"
    return text
