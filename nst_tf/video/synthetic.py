"""Clips whose motion is known exactly: photographs that move, turn and grow."""

import dataclasses
from collections.abc import Callable

import numpy as np

from nst_tf.video.flow import Motion, inside, warp

Affine = np.ndarray
"""float64 `[3, 3]`: a place in a frame to a place in the photograph, x and y."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """A photograph that moves.

    Attributes:
        photo: float32 `[H, W, 3]`, RGB 0..1.
        place: Of the time, in frames: where a frame's pixels lie in the photograph.
        shape: float32 `[H, W]`, 0..1: where it is seen; None is everywhere.
    """

    photo: np.ndarray
    place: Callable[[float], Affine]
    shape: np.ndarray | None = None


class Clip:
    """Frames of layers, the last before the others, and their exact motion.

    Args:
        width: Pixels of a frame.
        height: Pixels of a frame.
        count: Frames.
        layers: At least one, which covers the frame.
        gain: Of the time: what all values are multiplied by.
    """

    def __init__(
        self,
        width: int,
        height: int,
        count: int,
        layers: list[Layer],
        gain: Callable[[float], float] = lambda time: 1.0,
    ) -> None:
        self.width, self.height, self.count = width, height, count
        self.layers, self.gain = layers, gain

    def frame(self, time: int) -> np.ndarray:
        """Return a frame, float32 `[H, W, 3]`, RGB 0..1."""
        found = np.zeros((self.height, self.width, 3), "float32")
        for layer in self.layers:
            flow = self._offset(layer.place(time))
            cover = self._cover(layer, time)[..., None]
            found += cover * (warp_into(layer.photo, flow) - found)
        return np.clip(found * self.gain(time), 0.0, 1.0)

    def motion(self, before: int, after: int) -> Motion:
        """Return the motion from a frame to an earlier one."""
        flow = np.zeros((self.height, self.width, 2), "float32")
        trust = np.ones((self.height, self.width), "float32")
        front = np.zeros_like(trust)
        owners = [self._owner(time) for time in (before, after)]
        for index, layer in enumerate(self.layers):
            back = np.linalg.inv(layer.place(before)) @ layer.place(after)
            own = owners[1] == index
            flow[own] = self._offset(back)[own]
            front[own] = index
        # It was hidden if another layer was seen where it came from.
        there = np.rint(warp(owners[0].astype("float32")[..., None], flow))
        trust *= (there.reshape(front.shape) == front) * inside(flow)
        trust *= _even(owners[1])
        trust *= warp(_even(owners[0])[..., None], flow).reshape(trust.shape) > 0.9
        return Motion(flow, trust.astype("float32"))

    def _owner(self, time: float) -> np.ndarray:
        """Return the index of the layer that is seen at each pixel, `[H, W]`."""
        found = np.zeros((self.height, self.width), "int64")
        for index, layer in enumerate(self.layers[1:], 1):
            found[self._cover(layer, time) > 0.5] = index
        return found

    def _cover(self, layer: Layer, time: float) -> np.ndarray:
        if layer.shape is None:
            return np.ones((self.height, self.width), "float32")
        flow = self._offset(layer.place(time))
        mask = layer.shape[..., None]
        return warp_into(mask, flow, mirror=False).reshape(self.height, self.width)

    def _offset(self, place: Affine) -> np.ndarray:
        """Return how far each pixel's place is from it, `[H, W, 2]`."""
        y, x = np.mgrid[0 : self.height, 0 : self.width].astype("float64")
        here = np.stack([x, y, np.ones_like(x)], axis=-1)
        found = here @ np.asarray(place).T
        offset: np.ndarray = (found[..., :2] - here[..., :2]).astype("float32")
        return offset


def warp_into(
    photo: np.ndarray, flow: np.ndarray, *, mirror: bool = True
) -> np.ndarray:
    """Return what of a larger picture is seen where `flow` points, `[h, w, C]`.

    Beyond its border it is mirrored, or else 0.
    """
    import cv2

    height, width = flow.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype("float32")
    found: np.ndarray = cv2.remap(
        photo,
        x + flow[..., 0],
        y + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT if mirror else cv2.BORDER_CONSTANT,
    )
    return found.reshape(height, width, -1)


def camera(
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    turn: float = 0.0,
    zoom: float = 1.0,
    center: tuple[float, float] = (0.0, 0.0),
    start: tuple[float, float] = (0.0, 0.0),
) -> Callable[[float], Affine]:
    """Return a steady motion of the camera.

    Args:
        shift: Pixels a frame, x and y.
        turn: Degrees a frame.
        zoom: Factor a frame; below 1 things grow.
        center: Pixel of a frame that turning and zooming keep.
        start: Place in the photograph of the first frame's corner.
    """

    def place(time: float) -> Affine:
        angle, factor = np.deg2rad(turn * time), zoom**time
        cos, sin = factor * np.cos(angle), factor * np.sin(angle)
        middle = np.asarray([[1, 0, -center[0]], [0, 1, -center[1]], [0, 0, 1.0]])
        spin = np.asarray([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
        move = np.asarray(
            [
                [1, 0, center[0] + start[0] + shift[0] * time],
                [0, 1, center[1] + start[1] + shift[1] * time],
                [0, 0, 1.0],
            ]
        )
        found: np.ndarray = move @ spin @ middle
        return found

    return place


def _even(owner: np.ndarray) -> np.ndarray:
    """Return 1 where the neighbours belong to the same layer, float32 `[H, W]`."""
    found = np.ones(owner.shape, "float32")
    for axis in (0, 1):
        for step in (-1, 1):
            found *= np.roll(owner, step, axis=axis) == owner
    return found
