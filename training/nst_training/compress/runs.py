"""Pictures on their way: what an optimiser makes of photographs while we train.

They are the decisive examples, as an optimiser goes where a loss network errs. Every
training step takes some, and moves them on by the gradients that it computed anyway.
"""

from typing import Protocol

import numpy as np

from nst_training.compress.pictures import Pictures

_PAIRS = 12
"""Curvature pairs that a picture keeps."""
_FIRST, _LARGEST = 4 / 255, 12 / 255
"""Mean change of the first step, and of the largest."""


class Walker(Protocol):
    """A picture and how it moves."""

    picture: np.ndarray

    def advance(self, gradient: np.ndarray) -> None:
        """Take one step down."""


class Quasi:
    """L-BFGS without a line search, pixels kept in 0..1.

    Args:
        picture: float32 `[H, W, 3]`, RGB 0..1.
    """

    def __init__(self, picture: np.ndarray) -> None:
        self.picture = picture
        self._pairs: list[tuple[np.ndarray, np.ndarray, float]] = []
        self._before: tuple[np.ndarray, np.ndarray] | None = None

    def advance(self, gradient: np.ndarray) -> None:
        """Take one step down."""
        now = gradient.astype("float32").ravel()
        if self._before is not None:
            change, last = self._before
            bend = now - last
            product = float(change @ bend)
            if product > 1e-10 * float(np.linalg.norm(change) * np.linalg.norm(bend)):
                self._pairs = [*self._pairs, (change, bend, 1 / product)][-_PAIRS:]
        step = self._direction(now)
        step *= min(1.0, _LARGEST / max(float(np.abs(step).mean()), 1e-30))
        flat = self.picture.ravel()
        moved = np.clip(flat - step, 0.0, 1.0)
        self._before = moved - flat, now
        self.picture = moved.reshape(self.picture.shape)

    def _direction(self, gradient: np.ndarray) -> np.ndarray:
        """Return the inverse Hessian by the gradient, in two loops over the pairs."""
        step = gradient.copy()
        if not self._pairs:
            return step * (_FIRST / max(float(np.abs(step).mean()), 1e-30))
        shares = []
        for change, bend, inverse in reversed(self._pairs):
            shares.append(inverse * float(change @ step))
            step -= shares[-1] * bend
        _, bend, inverse = self._pairs[-1]
        step /= inverse * float(bend @ bend)
        for change, bend, inverse in self._pairs:
            step += change * (shares.pop() - inverse * float(bend @ step))
        return step


class Adaptive:
    """Adam, pixels kept in 0..1.

    Args:
        picture: float32 `[H, W, 3]`, RGB 0..1.
        rate: Step length, of the 0..1 range.
    """

    def __init__(self, picture: np.ndarray, rate: float) -> None:
        self.picture, self.rate = picture, rate
        self._mean = self._square = np.zeros_like(picture)
        self._steps = 0

    def advance(self, gradient: np.ndarray) -> None:
        """Take one step down."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.99 * self._square + 0.01 * np.square(gradient)
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.99**self._steps)
        moved = self.picture - self.rate * mean / (np.sqrt(square) + 1e-20)
        self.picture = np.clip(moved, 0.0, 1.0).astype("float32")


class Runs:
    """Some photographs on their way to one painting, begun anew from time to time.

    Attributes:
        photos: float32 `[B, H, W, 3]`.
        style: float32 `[1, H, W, 3]`.
        absolute: `[B]`, 1 for the terms of Gatys' notebook, 0 for relative ones.
        content: `[B]`, weight of the content term.
        weight: `[B]`, weight of the style term.
        exact: `[B]`, whether VGG's gradient moves the picture instead of ours.
        age: Steps since the beginning.

    Args:
        draw: Where all of it comes from.
        photos: Photographs.
        paintings: Paintings.
        size: Side of the pictures.
        count: Pictures.
    """

    def __init__(
        self,
        draw: np.random.Generator,
        photos: Pictures,
        paintings: Pictures,
        *,
        size: int,
        count: int,
    ) -> None:
        self._draw, self._photos, self._paintings = draw, photos, paintings
        self.size, self.count = size, count
        self.renew()

    def renew(self) -> None:
        """Begin anew, with other pictures, weights and ways to move."""
        draw, size, count = self._draw, self.size, self.count
        self.age, self.life = 0, int(np.exp(draw.uniform(np.log(8), np.log(150))))
        self.style = self._paintings.crop(draw, size, least=0.6)[None]
        self.photos = np.stack([self._photos.crop(draw, size) for _ in range(count)])
        self.absolute = np.full(count, float(draw.random() < 0.5), "float32")
        notebook = 100.0 * np.exp(draw.uniform(-1.5, 1.5, count))
        relative = np.exp(draw.uniform(np.log(4.0), np.log(60.0), count))
        weight = np.where(self.absolute > 0, notebook, relative)
        self.weight = weight.astype("float32")
        self.content = (draw.random(count) < 0.9).astype("float32")
        self.exact = np.full(count, draw.random() < 0.2)
        self._walkers = [self._begin(photo) for photo in self.photos]

    def _begin(self, photo: np.ndarray) -> Walker:
        draw = self._draw
        kind, share = draw.random(), draw.uniform(0.2, 0.8)
        start = photo
        if kind < 0.1:
            start = 0.5 + 0.1 * draw.standard_normal(photo.shape)
        elif kind < 0.2:
            start = share * photo + (1 - share) * self.style[0]
        elif kind < 0.25:
            start = self.style[0]
        elif kind < 0.4:
            start = photo + draw.uniform(0.02, 0.2) * draw.standard_normal(photo.shape)
        start = np.clip(start, 0.0, 1.0).astype("float32")
        if draw.random() < 0.65:
            return Quasi(start)
        return Adaptive(start, float(np.exp(draw.uniform(np.log(0.008), np.log(0.04)))))

    @property
    def pictures(self) -> np.ndarray:
        """The pictures of now, float32 `[B, H, W, 3]`."""
        return np.stack([walker.picture for walker in self._walkers])

    def advance(self, gradients: np.ndarray) -> bool:
        """Move every picture; tell whether the runs were begun anew instead.

        Args:
            gradients: `[B, H, W, 3]`.
        """
        self.age += 1
        if self.age > self.life or not np.isfinite(gradients).all():
            self.renew()
            return True
        for walker, gradient in zip(self._walkers, gradients, strict=True):
            walker.advance(gradient)
        return False
