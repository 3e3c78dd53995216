"""The demo: a drawn scene, or photographs, in every style that ships.

Then, where the weights of VGG-19 are at hand, the first of them is optimised like a
drawn piece of brushwork, or like the second file.
"""

import sys
import time
from pathlib import Path

import numpy as np

from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf import InputError, OptimizeSettings, load_image, save_image
from nst_tf.commands.optimize import Job
from nst_tf.commands.optimize_run import optimize
from nst_tf.imaging.contact_sheet import arrange, on_square
from nst_tf.imaging.resize import reduce
from nst_tf.imaging.scene import landscape, noise

OUT = Path("out")
SETTINGS = OptimizeSettings(size=320, steps=120, coarse_steps=100)
SIDE, CELL = 768, 256
"""Long side in pixels of what the gallery paints, and of a cell of its sheet."""


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
    cells, seconds = [], 0.0
    for path in photos:
        photo = reduce(load_image(path).pixels, SIDE)
        cells.append(photo)
        for name in stylizer.styles:
            start = time.perf_counter()
            cells.append(stylizer(photo, mix_weights(stylizer.styles, {name: 1.0})))
            seconds += time.perf_counter() - start
    sheet = OUT / "gallery.png"
    squares = [on_square(picture, CELL, margin=4) for picture in cells]
    save_image(sheet, arrange(squares, columns=1 + len(stylizer.styles)))
    pictures = len(photos) * len(stylizer.styles)
    print(
        f"{sheet}: {', '.join(stylizer.styles)}; {pictures} pictures in"
        f" {seconds:.1f} s, {seconds / pictures:.2f} s each"
    )


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
