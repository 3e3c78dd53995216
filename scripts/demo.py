"""The demo: a drawn scene, or photographs, in every style that ships.

Then, where the weights of VGG-19 are at hand, the first of them is optimised like a
drawn piece of brushwork, or like the second file.
"""

import sys
import time
from pathlib import Path

import numpy as np

from nst_export.runtime import Stylizer, bundled, mix_weights
from nst_tf import InputError, OptimizeSettings, load_image, save_image
from nst_tf.cli import Job, optimize
from nst_tf.images import fit, resize

OUT = Path("out")
SETTINGS = OptimizeSettings(size=320, steps=120, coarse_steps=100)
SIDE, CELL = 768, 256
"""Long side in pixels of what the gallery paints, and of a cell of its sheet."""


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


def brushwork(height: int = 400, width: int = 480) -> np.ndarray:
    """Draw curved strokes that follow swirls, float32 `[H, W, 3]`."""
    rng = np.random.default_rng(4)
    flow = 2.5 * noise(height, width, 30, octaves=2) * np.pi
    hue = noise(height, width, 31, octaves=2)
    palette = np.array(
        [
            [0.08, 0.14, 0.4],
            [0.15, 0.35, 0.65],
            [0.35, 0.6, 0.75],
            [0.93, 0.8, 0.3],
            [0.9, 0.5, 0.15],
            [0.96, 0.92, 0.75],
        ]
    )
    canvas = np.full((height, width, 3), palette[0], "float32")
    for _ in range(5200):
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        tone = hue[int(y), int(x)] * 4 + rng.normal(0, 0.5) + 2
        color = palette[int(np.clip(tone, 0, 5))] * rng.uniform(0.8, 1.15)
        radius = rng.uniform(1.0, 2.6)
        for _ in range(int(rng.uniform(8, 22))):
            row, column = int(y), int(x)
            if not (0 <= row < height and 0 <= column < width):
                break
            r = int(radius) + 1
            top, left = max(0, row - r), max(0, column - r)
            patch = canvas[top : row + r + 1, left : column + r + 1]
            yy, xx = np.ogrid[top : top + patch.shape[0], left : left + patch.shape[1]]
            touch = np.clip(radius + 0.5 - np.hypot(yy - y, xx - x), 0, 1)
            ridge = 0.9 + 0.2 * np.sin(3.0 * (yy - y) + 2.0 * (xx - x))
            patch += 0.7 * touch[..., None] * (color * ridge[..., None] - patch)
            y += 1.2 * np.sin(flow[row, column])
            x += 1.2 * np.cos(flow[row, column])
    return np.clip(canvas, 0, 1)


def gallery(photos: list[Path]) -> None:
    """Paint every photograph in every style that ships; one contact sheet."""
    try:
        stylizer = Stylizer.load(bundled())
    except InputError as error:
        print(f"Left out the gallery: {error}", file=sys.stderr)
        return
    rows, seconds = [], 0.0
    for path in photos:
        photo = load_image(path).pixels
        height, width = photo.shape[:2]
        photo = resize(
            photo, *fit(width, height, min(SIDE, max(width, height)), "long")
        )
        row = [photo]
        for name in stylizer.styles:
            start = time.perf_counter()
            row.append(stylizer(photo, mix_weights(stylizer.styles, {name: 1.0})))
            seconds += time.perf_counter() - start
        rows.append(np.concatenate([square(picture) for picture in row], axis=1))
    sheet = OUT / "gallery.png"
    save_image(sheet, np.concatenate(rows))
    pictures = len(photos) * len(stylizer.styles)
    print(
        f"{sheet}: {', '.join(stylizer.styles)}; {pictures} pictures in"
        f" {seconds:.1f} s, {seconds / pictures:.2f} s each"
    )


def square(pixels: np.ndarray) -> np.ndarray:
    """Centre a picture on a white square of the contact sheet."""
    height, width = pixels.shape[:2]
    small = resize(pixels, *fit(width, height, CELL - 4, "long"))
    canvas = np.ones((CELL, CELL, 3), "float32")
    top, left = ((CELL - side) // 2 for side in small.shape[:2])
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def run(arguments: list[str]) -> int:
    """Paint the given photographs, or the drawn scene."""
    OUT.mkdir(exist_ok=True)
    files = [Path(name) for name in arguments]
    content, style = OUT / "scene.png", OUT / "brushwork.png"
    if len(files) < 2:
        save_image(style, brushwork())
    if not files:
        save_image(content, landscape())
        print(f"Drew {content} and {style}.")
    gallery(files or [content])
    if files:
        content = files[0]
    if len(files) > 1:
        style = files[1]
    output = OUT / f"{content.stem}-{style.stem}.png"
    job = Job(content=content, style=style, output=output)
    job.checkpoint_path.unlink(missing_ok=True)
    try:
        return optimize(job, SETTINGS)
    except InputError as error:
        if "weights" not in str(error):
            raise
        print(f"Left out the optimisation of {content}: {error}", file=sys.stderr)
        return 0


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except InputError as error:
        print(f"demo: error: {error}", file=sys.stderr)
        sys.exit(2)
