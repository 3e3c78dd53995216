"""Pictures laid out in a grid: plain, or each with a line or two of text below it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nst_tf.imaging.resize import resize_to
from nst_tf.imaging.write import to_bytes

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_GAP = 8
"""Pixels between the cells of a labelled sheet."""
_INK, _PAPER = (32, 32, 36), (255, 255, 255)


class Cell(NamedTuple):
    """One picture of a labelled sheet.

    Attributes:
        pixels: float32 `[H, W, 3]`, or `[H, W]` for grey; RGB 0..1.
        label: Text below it; lines end with a newline.
    """

    pixels: np.ndarray
    label: str


def arrange(pictures: Sequence[np.ndarray], *, columns: int) -> np.ndarray:
    """Return pictures of one size side by side, row by row, float32 `[H, W, 3]`.

    Args:
        pictures: float32 `[h, w, 3]` each; what the last row lacks is white.
        columns: Pictures of a row, if there are as many.
    """
    columns = min(columns, len(pictures))
    missing = -len(pictures) % columns
    cells = [*pictures, *[np.ones_like(pictures[0])] * missing]
    starts = range(0, len(cells), columns)
    rows = [np.concatenate(cells[start : start + columns], axis=1) for start in starts]
    return np.concatenate(rows)


def on_square(pixels: np.ndarray, side: int, *, margin: int) -> np.ndarray:
    """Return a picture amid a white square, float32 `[side, side, 3]`.

    Args:
        pixels: float32 `[H, W, 3]`, RGB 0..1.
        side: Side of the square in pixels.
        margin: What its long side leaves free of it, on both ends together.
    """
    small = resize_to(pixels, side - margin)
    square = np.ones((side, side, 3), "float32")
    top, left = ((side - length) // 2 for length in small.shape[:2])
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def draw_sheet(
    cells: Sequence[Cell], *, columns: int, side: int, title: str = ""
) -> np.ndarray:
    """Return labelled cells as one picture, row by row, float32 `[H, W, 3]`.

    Args:
        cells: From left to right, row by row.
        columns: Cells of a row.
        side: Long side of each picture in pixels, and the most that a cell is wide;
            small pictures are enlarged, so that their pixels show.
        title: A line above the grid.
    """
    font = ImageFont.load_default(max(11, side // 14))
    line = round(1.4 * (font.getbbox("0")[3] - font.getbbox("0")[1])) + 6
    pictures = [_fitted(cell.pixels, side) for cell in cells]
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    lines = [text for cell in cells for text in cell.label.splitlines()]
    longest = max((math.ceil(font.getlength(text)) for text in lines), default=0)
    wide = max(min(side, longest), *(picture.shape[1] for picture in pictures))
    high = max(picture.shape[0] for picture in pictures)
    high += line * max(1 + cell.label.count("\n") for cell in cells) + 2 * _GAP
    top = line + 2 * _GAP if title else _GAP
    width = columns * (wide + _GAP) + _GAP
    canvas = Image.new("RGB", (width, top + rows * high), _PAPER)
    draw = ImageDraw.Draw(canvas)
    _write(draw, (_GAP, _GAP), title, font, width)
    for index, (cell, picture) in enumerate(zip(cells, pictures, strict=True)):
        x = _GAP + index % columns * (wide + _GAP)
        y = top + index // columns * high
        canvas.paste(Image.fromarray(to_bytes(picture)), (x, y))
        y += picture.shape[0] + _GAP // 2
        for number, text in enumerate(cell.label.splitlines()):
            _write(draw, (x, y + number * line), text, font, wide)
    return np.asarray(canvas, "float32") / 255.0


def _fitted(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return a picture with `side` pixels on the long side, in colour."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    times = side // max(pixels.shape[:2])
    if times > 1:  # Whole pixels, not a blur of them.
        return pixels.repeat(times, axis=0).repeat(times, axis=1)
    return resize_to(pixels, side)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    font: Font,
    width: int,
) -> None:
    """Write a text, shortened until it fits."""
    while text and font.getlength(text) > width:
        text = text[:-2] + "…"
    draw.text(place, text, _INK, font=font)
