"""The frames of a scene by optimisation, each from the picture before it.

The first is painted as a photograph is, with all of its evaluations. Each later one
starts from the last picture, moved along with the film, and takes a few evaluations of
L-BFGS, with a term more: where the motion can be trusted, the picture should be that.

Differs from the paper: the term is measured against the loss of the scene's first
picture, so that its weight means the same for every loss and painting; what can't be
trusted starts from the frame itself; style statistics, the style weight that was found
for a strength, and colours that were matched stay those of the scene's first frame.

Reference:
    Ruder et al. 2016, https://arxiv.org/abs/1604.08610
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from nst_tf.backend.compile import jit_compile
from nst_tf.backend.precision import resolve_precision
from nst_tf.imaging import color
from nst_tf.imaging.guides import Regions
from nst_tf.loss.choice import networks_of, with_network
from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.term import Targets
from nst_tf.painting.canvas import Canvas
from nst_tf.painting.inputs import Inputs, graph_of, prepare
from nst_tf.painting.measure import memory_plan
from nst_tf.painting.optimizer import build_optimizer
from nst_tf.painting.pixels import Range
from nst_tf.painting.run import optimize_image
from nst_tf.painting.schedule import Pass, plan_passes
from nst_tf.painting.steady import Held, SteadyTransfer
from nst_tf.painting.workshop import Workshop
from nst_tf.running.callbacks import FiniteGuard
from nst_tf.running.progress import Progress
from nst_tf.running.transfer import counter
from nst_tf.settings.checks import InputError
from nst_tf.settings.film import FRAME_STEPS, STEADINESS
from nst_tf.settings.loss import TERMS
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.settings.weight_changes import records

_APART = 0.05
"""Difference from the last picture that costs as much as a scene's first picture."""


class ScenePainter:
    """Paints the frames of one scene after the other.

    Args:
        styles: Paintings, float32 `[H, W, 3]`, RGB 0..1.
        settings: Of a scene's first frame; the size is always the frame's. Later frames
            take its loss, with L-BFGS.
        regions: Which part is painted like which, the same in every frame.
        steps: Evaluations of every later frame.
        steadiness: As `STEADINESS`; 0 only starts from the last picture.

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
    ) -> None:
        self.settings = with_network(settings or OptimizeSettings())
        if self.settings.memory is not None:
            raise InputError("frames of a film can't be painted in a stated memory")
        self.styles, self.regions = tuple(styles), regions
        self.steps, self.steadiness = steps, steadiness
        self._workshop = Workshop()
        self._extractor: keras.Model | None = None
        self._first: _First | None = None
        self._scene: _Scene | None = None
        self._step: _FrameStep | None = None

    def begin(self, frame: np.ndarray) -> np.ndarray:
        """Return the picture of a scene's first frame, float32 `[H, W, 3]`."""
        made = optimize_image(
            frame,
            self.styles,
            self._sized(frame),
            regions=self.regions,
            workshop=self._workshop,
            extractor=self._network(),
        )
        if made.reason == "not finite":
            raise _not_finite()
        weights = tuple(self.settings.loss.term_weights.values())
        for _, last in records(made.settings.weight_changes):
            weights = tuple(last.values())
        self._first = _First(frame, weights, made.loss.total)
        self._scene = None
        return np.clip(made.pixels, 0.0, 1.0)

    def follow(
        self, frame: np.ndarray, held: np.ndarray, trust: np.ndarray
    ) -> np.ndarray:
        """Return the picture of a later frame, see `nst_tf.video.following.Scene`."""
        assert self._first is not None
        if self._scene is None:
            self._scene = self._prepared(self._first)
        scene, grey = self._scene, self.settings.color == "luminance"
        canvas = scene.canvas(frame)
        photo, greys = canvas.photograph(scene.stage), canvas.greys(scene.stage)
        held = color.grey(color.luma(held)) if grey else held
        weight = self.steadiness * self._first.loss / _APART**2
        goal = _Goal(
            photo,
            scene.targets._replace(content=scene.content(photo[None])),
            held,
            weight * trust,
            greys,
        )
        if self._step is None or not self._step.fits(goal):
            self._step = _FrameStep(scene, canvas, goal, self.steps)
        start = held + (1.0 - trust[..., None]) * (photo - held)
        return np.clip(canvas.colored(self._step(start, goal)), 0.0, 1.0)

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next picture depends on besides what `follow` takes."""
        if self._first is None:
            return {}
        return {
            "first_frame": self._first.frame,
            "weights": np.asarray(self._first.weights),
            "first_loss": np.asarray(self._first.loss),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""
        self._first = self._scene = None
        if "first_frame" in state:
            self._first = _First(
                state["first_frame"],
                tuple(state["weights"].tolist()),
                float(state["first_loss"]),
            )

    def _prepared(self, first: "_First") -> "_Scene":
        """Return what all frames of a scene are compared with."""
        settings = self._sized(first.frame)
        inputs = prepare(first.frame, self.styles, settings, self.regions)
        stage = plan_passes(inputs.size, inputs.style_sizes, settings)[-1]
        # Every term is computed: which of them count is in the targets.
        loss = dataclasses.replace(
            stage.loss,
            **{f"{name}_weight": 1.0 for name in TERMS},  # type: ignore[arg-type]
        )
        objective = Objective(self._network(), loss)
        targets = inputs.targets(objective, stage, settings)
        targets = targets._replace(weights=np.asarray(first.weights, "float32"))
        return _Scene(settings, inputs, stage, objective, targets)

    def _sized(self, frame: np.ndarray) -> OptimizeSettings:
        """Return the settings for a picture as large as the frame."""
        size = max(frame.shape[:2])
        return dataclasses.replace(self.settings, size=size, side="long")

    def _network(self) -> keras.Model:
        """Return the network that the last evaluations look through, built once."""
        if self._extractor is None:
            chosen = self.settings.extractor
            last = dataclasses.replace(chosen, network=networks_of(chosen)[-1])
            dtype = resolve_precision(self.settings.precision)
            layers = self.settings.loss.layers
            self._extractor = build_extractor(layers, settings=last, dtype=dtype)
        return self._extractor


class _First(NamedTuple):
    """A scene's first frame, the weights of the terms it ended with, and its loss."""

    frame: np.ndarray
    weights: tuple[float, ...]
    loss: float


@dataclasses.dataclass(frozen=True)
class _Scene:
    """What the frames of a scene share."""

    settings: OptimizeSettings
    inputs: Inputs
    stage: Pass
    objective: Objective
    targets: Targets

    @functools.cached_property
    def content(self) -> Callable[..., Any]:
        """What the content's targets are computed with."""
        return graph_of(self.objective, self.objective.content_targets)

    def canvas(self, frame: np.ndarray) -> Canvas:
        """Return the pictures of a frame, beside the paintings of the first one."""
        chosen = self.settings.color
        photo = color.prepare(frame, (), chosen)[0]
        inputs = self.inputs._replace(content=photo, colors=frame)
        return Canvas(inputs, self.settings)


class _Goal(NamedTuple):
    """What a frame's picture must match.

    Attributes:
        photo: The frame as the network should see it, float32 `[H, W, 3]`.
        targets: What the loss compares with.
        held: The last picture, moved along, likewise.
        weight: How much that counts, float32 `[H, W]`.
        greys: The greys that pixels may have, None where they may have colours.
    """

    photo: np.ndarray
    targets: Targets
    held: np.ndarray
    weight: np.ndarray
    greys: Range | None


class _FrameStep:
    """The compiled step of a film's frames, and the evaluations of one."""

    def __init__(self, scene: _Scene, canvas: Canvas, goal: _Goal, steps: int) -> None:
        self.steps, self.kind = steps, _kind(goal)
        settings = dataclasses.replace(
            scene.settings,
            optimizer="lbfgs",
            learning_rate=None,
            history=min(scene.settings.history, steps),
        )
        plan = memory_plan([scene.stage], settings, canvas.inputs.regions)
        photo = goal.photo
        generator = canvas.pixels(scene.stage, photo, photo, photo)
        held = Held(photo.shape[:2])
        self.model = SteadyTransfer(generator, scene.objective, goal.targets, held)
        self.optimizer = build_optimizer(settings, plan, 1)
        self.optimizer.build(generator.trainable_variables)
        self.model.compile(optimizer=self.optimizer, jit_compile=jit_compile())

    def fits(self, goal: _Goal) -> bool:
        """Tell whether a frame can be painted with it."""
        if goal.greys is not None and keras.backend.backend() == "jax":
            return False  # They are constants of the compiled step.
        return self.kind == _kind(goal)

    def __call__(self, start: np.ndarray, goal: _Goal) -> np.ndarray:
        """Return the picture of a frame, in the colours that the network sees."""
        generator: Any = self.model.generator
        generator.restart(start, backdrop=goal.photo, greys=goal.greys)
        self.model.targets.replace(goal.targets)
        self.model.held.replace(goal.held, goal.weight)
        self.optimizer.reset()
        progress = Progress()
        self.model.fit(
            counter(self.steps),
            steps_per_epoch=self.steps,
            shuffle=False,
            verbose=0,
            callbacks=[FiniteGuard(progress)],
        )
        if progress.failed:
            raise _not_finite()
        picture: np.ndarray = generator.picture()
        return picture


def _kind(goal: _Goal) -> tuple[Any, ...]:
    """Return what frames painted with one step have in common."""
    return goal.photo.shape, goal.greys is None


def _not_finite() -> InputError:
    return InputError(
        "the loss of a frame stopped being finite: lower the weights or the steadiness"
    )
