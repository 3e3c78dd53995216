"""The project's own picture: hills, a lake and a house at dusk, drawn by formulas."""

import numpy as np

EXAMPLE = (512, 768)
"""Height and width of the scene that a page offers as an example."""
THUMBNAIL = (192, 288)
"""Height and width of the scene that shows a style."""


def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return y and x in 0..1, `[H, W]`."""
    y, x = np.mgrid[0:height, 0:width].astype("float32")
    return y / height, x / width


def paint(canvas: np.ndarray, mask: np.ndarray, color: tuple[float, ...]) -> None:
    """Lay a colour over `[H, W, 3]` where `mask` `[H, W]` is not 0."""
    canvas += mask[..., None] * (np.array(color, "float32") - canvas)


def noise(height: int, width: int, seed: int, octaves: int = 5) -> np.ndarray:
    """Return smooth fractal noise around 0, `[H, W]`."""
    rng = np.random.default_rng(seed)
    y, x = grid(height, width)
    total = np.zeros((height, width), "float32")
    for octave in range(octaves):
        for _ in range(6):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            wave = np.cos(angle) * x + np.sin(angle) * y
            frequency = 2 * np.pi * 2**octave * rng.uniform(0.7, 1.4)
            total += np.sin(frequency * wave + phase) / 2**octave
    return total / 6


def landscape(height: int = 360, width: int = 540) -> np.ndarray:
    """Draw hills, a lake, a house and a sun at dusk, float32 `[H, W, 3]`."""
    y, x = grid(height, width)
    soft = noise(height, width, 1)
    sky = np.stack([0.95 - 0.55 * (1 - y), 0.6 - 0.1 * y, 0.45 + 0.4 * (1 - y)], -1)
    canvas = (sky + 0.04 * soft[..., None]).astype("float32")
    sun = np.hypot((x - 0.7) * width, (y - 0.3) * height) < 0.09 * height
    paint(canvas, sun.astype("float32"), (1.0, 0.93, 0.7))
    for index, (base, color) in enumerate(
        [
            (0.45, (0.35, 0.38, 0.55)),
            (0.55, (0.25, 0.4, 0.38)),
            (0.63, (0.2, 0.36, 0.2)),
        ]
    ):
        ridge = (
            base + 0.07 * np.sin(7 * x + 2 * index) + 0.05 * noise(1, width, 5 + index)
        )
        hill = (y > ridge).astype("float32")
        shade = 1 + 0.5 * noise(height, width, 20 + index)
        paint(canvas, hill * np.clip(0.75 + 0.25 * shade, 0, 1), color)
    lake = (y > 0.78 + 0.01 * np.sin(9 * x)).astype("float32")
    paint(canvas, 0.85 * lake, (0.45, 0.5, 0.62))
    paint(canvas, 0.25 * lake * (np.sin(160 * y + 9 * soft) > 0.4), (0.95, 0.8, 0.7))
    wall = (np.abs(x - 0.3) < 0.06) & (y > 0.6) & (y < 0.76)
    paint(canvas, wall.astype("float32"), (0.9, 0.85, 0.75))
    roof = (y > 0.5 + 1.2 * np.abs(x - 0.3)) & (y < 0.6)
    paint(canvas, roof.astype("float32"), (0.6, 0.22, 0.16))
    for left in (0.27, 0.32):
        window = (np.abs(x - left) < 0.012) & (np.abs(y - 0.66) < 0.03)
        paint(canvas, window.astype("float32"), (0.2, 0.2, 0.3))
    for stem, top in ((0.12, 0.4), (0.86, 0.36), (0.93, 0.45)):
        trunk = (np.abs(x - stem) < 0.006) & (y > top) & (y < 0.76)
        paint(canvas, trunk.astype("float32"), (0.25, 0.16, 0.1))
        crown = np.hypot((x - stem) * 1.5, y - top) < 0.11 + 0.03 * noise(
            height, width, 9
        )
        paint(canvas, 0.9 * crown, (0.16, 0.3, 0.12))
    grain = np.random.default_rng(2).standard_normal(canvas.shape) * 0.012
    return np.clip(canvas + grain, 0, 1).astype("float32")
