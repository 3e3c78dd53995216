"""The project's own painting: strokes that follow swirls, drawn by formulas."""

import numpy as np

from nst_tf.imaging.scene import noise


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
    for _ in range(height * width * 13 // 480):
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
