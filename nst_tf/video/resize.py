"""Resizing of frames, of which there are many."""

import numpy as np


def resize_frame(
    pixels: np.ndarray, width: int, height: int, *, clip: bool = True
) -> np.ndarray:
    """Resize float32 `[H, W, 3]` or `[H, W]`, ten times as fast as `imaging.resize`.

    By OpenCV, bicubic or the mean of the area; where it is not installed as `resize`.

    Args:
        pixels: The frame.
        width: Pixels of the result.
        height: Pixels of the result.
        clip: Keep values within 0..1, which enlarging overshoots.
    """
    try:
        import cv2
    except ImportError:
        from nst_tf.imaging.resize import resize

        return resize(pixels, width, height, clip=clip)
    enlarged = width > pixels.shape[1]
    method = cv2.INTER_CUBIC if enlarged else cv2.INTER_AREA
    found: np.ndarray = cv2.resize(pixels, (width, height), interpolation=method)
    return np.clip(found, 0.0, 1.0, out=found) if clip and enlarged else found
