"""The picture that a run, a scale or an optimizer starts from."""

from pathlib import Path

import keras
import numpy as np

from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import resize
from nst_tf.painting.inputs import Inputs
from nst_tf.painting.schedule import Pass
from nst_tf.settings.checks import InputError
from nst_tf.settings.optimize import OptimizeSettings


def check_init(init: str) -> None:
    """Refuse a start that is neither known nor a file."""
    if init not in ("content", "noise", "style") and not Path(init).is_file():
        raise InputError(
            f"init must be content, noise, style or an image file; got {init}"
        )


def first_picture(
    inputs: Inputs, settings: OptimizeSettings, photo: np.ndarray, stage: Pass
) -> np.ndarray:
    """Return what a run starts from, `[H, W, 3]`; `photo` is of the pass' size."""
    init = settings.init
    height, width = photo.shape[:2]
    if init == "content":
        return photo
    if init == "style":
        painting = resize(
            inputs.styles[0], *stage.styles[0], resample=settings.resample
        )
        return resize(painting, width, height)
    if init == "noise":
        draw = np.random.default_rng(settings.seed).standard_normal(photo.shape)
        return np.clip(0.5 + 0.1 * draw, 0.0, 1.0).astype("float32")
    return resize(load_image(Path(init)).pixels, width, height)


def refined_picture(
    picture: np.ndarray, photo: np.ndarray, previous: np.ndarray, *, detail: bool
) -> np.ndarray:
    """Enlarge a picture and add the photograph's detail of the finer scale.

    Without the detail the fine layers' Gram matrices start from almost nothing:
    91 instead of 167 million at short side 256, and 3 % less loss after 60
    evaluations (reference pair, weights of the notebook).

    Args:
        picture: Of the coarser scale.
        photo: The photograph at the finer scale.
        previous: The photograph at the coarser scale.
        detail: Whether it is wanted: not where content does not count.
    """
    height, width = photo.shape[:2]
    larger = resize(picture, width, height)
    if not detail:
        return larger
    return np.clip(larger + (photo - resize(previous, width, height)), 0.0, 1.0)


def carry_moments(
    earlier: keras.optimizers.Optimizer, optimizer: keras.optimizers.Optimizer
) -> None:
    """Start Adam from the moments of the scale before, resized (as crowsonkb does).

    L-BFGS starts anew: its pairs are differences of another objective's gradient.
    """
    for old, new in zip(earlier.variables, optimizer.variables, strict=True):
        value = np.asarray(old)
        if len(value.shape) == 4:
            _, height, width, _ = new.shape
            planes = [_resize_plane(value[0, ..., k], height, width) for k in range(3)]
            value = np.stack(planes, axis=-1)[None]
        new.assign(value)


def _resize_plane(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    # Nearest: no filter may turn a second moment negative.
    rows = np.arange(height) * plane.shape[0] // height
    columns = np.arange(width) * plane.shape[1] // width
    resized: np.ndarray = plane[rows][:, columns]
    return resized
