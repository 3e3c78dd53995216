"""A film painted by the loss itself, each frame from the picture before it.

A scene's first frame is painted as a photograph is. Each later one starts from the last
picture, moved along with the film, and takes few evaluations, with one term more: where
the motion can be trusted, the picture should be that.

Differs from the paper: the term is measured against the loss of the scene's first
picture, so that its weight means the same for every loss and every painting; the motion
is DIS flow. Style statistics, and what `strength` divides by, stay those of the first
frame.

Reference:
    Ruder et al. 2016, https://arxiv.org/abs/1604.08610
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nst_tf.backend.compile import compiled, gradient_and_rest
from nst_tf.backend.precision import resolve_precision
from nst_tf.imaging.guides import Regions
from nst_tf.loss.choice import networks_of, with_network
from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.term import Targets
from nst_tf.optimizers.lbfgs import LBFGS
from nst_tf.painting.canvas import Canvas
from nst_tf.painting.inputs import prepare
from nst_tf.painting.run import optimize_image
from nst_tf.painting.schedule import Pass, plan_passes
from nst_tf.settings.checks import InputError
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.video.cuts import CutDetector
from nst_tf.video.flow import find_motion, warp

Tensor = Any
FRAME_STEPS = 12
"""Evaluations of a frame that starts from the last picture."""
STEADINESS = 1.0
"""Weight of the temporal term. At 1, a picture that differs by `_APART` from the last
one, moved along, costs as much as the scene's first picture."""
_APART = 0.05


class OptimizedPainter:
    """Paints the frames of a film by optimisation, one after the other.

    Args:
        styles: Paintings, float32 `[H, W, 3]`, RGB 0..1.
        settings: Of a scene's first frame; the size is always the film's.
        regions: Which part is painted like which, the same in every frame.
        steps: Evaluations of every later frame.
        steadiness: As `STEADINESS`; 0 only starts from the last picture.
        extractor: From `build_extractor`, for several films; else each builds its own.

    Raises:
        InputError: Settings that a film can't be painted with.
    """

    def __init__(
        self,
        styles: Sequence[np.ndarray],
        settings: OptimizeSettings | None = None,
        *,
        regions: Regions | None = None,
        steps: int = FRAME_STEPS,
        steadiness: float = STEADINESS,
        extractor: keras.Model | None = None,
    ) -> None:
        self.settings = with_network(settings or OptimizeSettings())
        if self.settings.memory is not None:
            raise InputError("a film's frames can't be painted in a stated memory")
        if self.settings.weight_changes:
            raise InputError("weights that change on the way are for pictures")
        self.styles, self.regions = tuple(styles), regions
        self.steps, self.steadiness = steps, steadiness
        self.cuts = CutDetector()
        self.last: tuple[np.ndarray, np.ndarray] | None = None
        self.scene: Targets | None = None
        self.first = np.zeros((), "float32")
        self.scale = 0.0
        self.extractor: Any = extractor
        self._loss: _FrameLoss | None = None

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        """Return the picture of the next frame, see `Painter`."""
        height, width = pixels.shape[:2]
        settings = dataclasses.replace(
            self.settings, size=max(height, width), side="long"
        )
        if self.cuts(pixels) or self.last is None:
            picture = self._begin(pixels, settings)
        else:
            picture = self._follow(pixels, settings)
        self.last = pixels, picture
        return picture

    def _begin(self, pixels: np.ndarray, settings: OptimizeSettings) -> np.ndarray:
        """Paint the first frame of a scene, as a photograph."""
        made = optimize_image(
            pixels,
            self.styles,
            settings,
            regions=self.regions,
            extractor=self._built_extractor(),
        )
        self.first, self.scene, self.scale = pixels, None, made.loss.total
        return np.clip(made.pixels, 0.0, 1.0)

    def _follow(self, pixels: np.ndarray, settings: OptimizeSettings) -> np.ndarray:
        """Paint a frame from the last picture."""
        assert self.last is not None
        motion = find_motion(self.last[0], pixels)
        held = np.clip(warp(self.last[1], motion.flow), 0.0, 1.0)
        inputs = prepare(pixels, self.styles, settings, self.regions)
        stage = plan_passes(inputs.size, inputs.style_sizes, settings)[-1]
        loss = self._frame_loss(stage)
        if self.scene is None:
            begun = prepare(self.first, self.styles, settings, self.regions)
            self.scene = begun.targets(loss.objective, stage, settings)
        canvas = Canvas(inputs, settings)
        photo = canvas.photograph(stage)
        targets = self.scene._replace(content=loss.content(photo[None]))
        weight = self.steadiness * self.scale / _APART**2
        generator = canvas.pixels(stage, photo, held, photo)
        optimizer = LBFGS(
            settings.learning_rate or 1.0,
            history=min(settings.history, self.steps),
            first_change=1 / 255,
        )
        optimizer.build(generator.trainable_variables)
        anchor = np.asarray(held[None], "float32")
        trust = np.asarray(weight * motion.trust[None, ..., None], "float32")
        for _ in range(self.steps):
            slope = loss.slope(generator.call(None), targets, anchor, trust)
            if generator.cover is not None:
                slope = slope * generator.cover
            optimizer.apply_gradients([(slope, generator.image)])
        picture: np.ndarray = canvas.colored(generator.picture())
        if not np.isfinite(picture).all():
            raise InputError("the loss of a frame stopped being finite")
        return picture

    def _frame_loss(self, stage: Pass) -> "_FrameLoss":
        if self._loss is None:
            self._loss = _FrameLoss(Objective(self._built_extractor(), stage.loss))
        return self._loss

    def _built_extractor(self) -> Any:
        """Return the network that the last evaluations look through, built once."""
        if self.extractor is None:
            chosen = self.settings.extractor
            last = dataclasses.replace(chosen, network=networks_of(chosen)[-1])
            self.extractor = build_extractor(
                self.settings.loss.layers,
                settings=last,
                dtype=resolve_precision(self.settings.precision),
            )
        return self.extractor

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides its frame."""
        found = {**self.cuts.state(), "first": self.first}
        found["scale"] = np.asarray(self.scale)
        if self.last is not None:
            found |= {"last_frame": self.last[0], "last_picture": self.last[1]}
        return found

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self.cuts.restore(state)
        self.first, self.scale = state["first"], float(state["scale"])
        self.scene, self.last = None, None
        if "last_frame" in state:
            self.last = state["last_frame"], state["last_picture"]


class _FrameLoss:
    """The loss of a frame and its gradient, compiled once for a film."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.content = compiled(self._content)
        self.slope = compiled(self._slope)

    def _content(self, photo: Tensor) -> dict[str, Tensor]:
        maps = self.objective.features(photo)
        return {name: maps[name] for name in self.objective.settings.content_layers}

    def _slope(
        self, image: Tensor, targets: Targets, held: Tensor, trust: Tensor
    ) -> Tensor:
        """Return the gradient with respect to the picture, `[1, H, W, 3]`."""

        def total(picture: Tensor) -> tuple[Tensor, Tensor]:
            parts = self.objective(picture, targets)
            apart = ops.mean(trust * ops.square(picture - held))
            return parts.total + apart, ()

        slope, _ = gradient_and_rest(total, ops.convert_to_tensor(image))
        return slope
