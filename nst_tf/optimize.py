"""Per-image optimisation from coarse to fine.

References:
    Gatys et al. 2016, https://doi.org/10.1109/CVPR.2016.265
    Gatys et al. 2017 (coarse to fine), https://arxiv.org/abs/1611.07865
"""

import dataclasses
import functools
import gc
import hashlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from keras import ops

from nst_tf import color
from nst_tf.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nst_tf.extractor import build_extractor
from nst_tf.images import fit, load_image, resize
from nst_tf.lbfgs import LBFGS
from nst_tf.losses import layer_weights
from nst_tf.objective import LossParts, Objective, Targets
from nst_tf.pixels import PixelImage, Range
from nst_tf.planner import MemoryPlan, Need, measuring_tile, plan_memory
from nst_tf.precision import give_back, in_graph, jit_compile, resolve_precision
from nst_tf.regions import Regions, whole
from nst_tf.settings import (
    MIN_SIDE,
    Depth,
    InputError,
    LossSettings,
    OptimizeSettings,
    to_dict,
)
from nst_tf.tiled import TiledObjective, tiled
from nst_tf.transfer import StyleTransfer, untuned

Tensor = Any
Reason = Literal["finished", "converged", "stopped", "not finite"]
_MIDDLE = 0.8
"""Part of the steps that leave out the deepest style layer, where it makes 1 % of the
loss: with the style term's own settings, as here."""
_STYLE = (
    "convention",
    "style_layers",
    "style_layer_weights",
    "style_layer_ratio",
    "style_loss",
    "strength",
)
_WINDOW = 20
"""Evaluations over which the early stop compares the loss."""
_TRIAL = 256
"""Side of the picture on which the speed is measured, in pixels."""
_COARSEST = 64
"""Short side in pixels below which no coarser scale is worth a pass."""
_FIRST_CHANGE = (4 / 255, 1 / 255)
"""Mean change of L-BFGS' first step at the first stage and at the later ones."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Stage(NamedTuple):
    """One pass over the picture.

    Attributes:
        picture: Size of the picture.
        styles: Size of every style image.
        steps: Evaluations.
        depth: What counts of the loss: the shallower half of the style layers alone,
            all but the deepest style layer, or the whole.
    """

    picture: Size
    styles: tuple[Size, ...]
    steps: int
    depth: Depth = "whole"


class Step(NamedTuple):
    """One evaluation of loss and gradient, as the observer sees it.

    Attributes:
        stage: Index of the stage, from 0.
        size: Size of the picture at this stage.
        depth: What counted of the loss, see `Stage`.
        step: Evaluation within the stage, from 1.
        evaluation: Evaluation within the run, from 1.
        loss: The parts of the loss of the picture before this step.
        seconds: Time since the start, without that between runs of a resumed one.
        image: Call it for the picture after this step, float32 `[H, W, 3]`.
        weights: Weights of the content, style and total variation terms.
        weigh: Call it with three new ones for the steps to come; the settings must
            have weight_changes.
    """

    stage: int
    size: Size
    depth: Depth
    step: int
    evaluation: int
    loss: LossParts
    seconds: float
    image: Callable[[], np.ndarray]
    weights: tuple[float, ...]
    weigh: Callable[[float, float, float], None]


class Result(NamedTuple):
    """An optimised picture.

    Attributes:
        pixels: float32 `[H, W, 3]`, RGB 0..1 (beyond it when unconstrained).
        loss: Parts of the loss at the last evaluation, as floats.
        evaluations: Evaluations of loss and gradient, all stages together.
        seconds: Time of the run.
        reason: Why it ended: `"finished"`, `"converged"`, `"stopped"` by the observer,
            or `"not finite"` (the picture is the last one whose loss was finite).
        settings: Those given, with the changes of the weights that the observer made:
            they make the same picture again.
    """

    pixels: np.ndarray
    loss: LossParts
    evaluations: int
    seconds: float
    reason: Reason
    settings: OptimizeSettings


Observer = Callable[[Step], bool | None]
"""Called after every step; returning True ends the run."""


def plan_stages(
    content: tuple[int, int],
    styles: Sequence[tuple[int, int]],
    settings: OptimizeSettings,
) -> list[Stage]:
    """Return the passes from the coarsest to the final size.

    At each size the shallow layers come first: they are cheap, and enlarging a picture
    has spoilt the fine detail that they see, and the deeper ones through them. On the
    reference pair 30 shallow evaluations (the price of 7) saved 25 of 140.

    At the final size the deepest style layer comes last, if it makes little of the
    loss: an evaluation costs a fifth less without it, and L-BFGS keeps its pairs. The
    reference pair comes to the published loss in 246 instead of 294 s; a picture of 512
    pixels takes 98 instead of 110 s by default and ends with 0.4 % more loss.

    Args:
        content: Width and height of the photograph.
        styles: Width and height of every style image.
        settings: Size, scales and steps.

    Raises:
        InputError: A picture is too narrow for the chosen size.
    """
    stages: list[Stage] = []
    loss = settings.loss
    several = loss.term_weights[1] and len(loss.style_layers) > 1
    shallow = settings.shallow_steps if several else 0
    middle = _middle_steps(settings) if several else 0
    # A position cannot be mirrored about itself.
    least = MIN_SIDE * (2 if settings.extractor.padding == "reflect" else 1)
    for index in range(settings.scales):
        ratio = settings.scale_factor**-index
        picture = Size(
            *fit(*content, max(1, round(settings.size * ratio)), settings.side)
        )
        if index and min(picture) < _COARSEST:
            break
        wanted = (settings.style_size or settings.size) * settings.style_scale * ratio
        paintings = tuple(_painting_size(style, wanted, settings) for style in styles)
        named = [("content", picture), *(("style", size) for size in paintings)]
        for name, size in named:
            if min(size) < least:
                raise InputError(
                    f"the {name} image would be {size.width}x{size.height} pixels; each"
                    f" side needs {least}: choose a larger size or crop the image"
                )
        counts: dict[Depth, int] = {
            "shallow": shallow,
            "middle": 0 if index else middle,
            "whole": settings.coarse_steps if index else settings.steps - middle,
        }
        stages[:0] = [
            Stage(picture, paintings, count, depth)
            for depth, count in counts.items()
            if count
        ]
    return stages


def _middle_steps(settings: OptimizeSettings) -> int:
    """Return how many of the steps leave out the deepest style layer."""
    loss, share = settings.loss, settings.middle_share
    if _part(loss, "middle") == loss:
        return 0
    if share is None:
        usual = LossSettings()
        same = all(getattr(loss, name) == getattr(usual, name) for name in _STYLE)
        share = _MIDDLE if same else 0.0
    return int(share * settings.steps)


def _painting_size(
    style: tuple[int, int], wanted: float, settings: OptimizeSettings
) -> Size:
    size = Size(*fit(*style, max(1, round(wanted)), settings.side))
    return Size(*style) if size.width > style[0] else size


def optimize_image(
    content: np.ndarray,
    style: np.ndarray | Sequence[np.ndarray],
    settings: OptimizeSettings | None = None,
    *,
    regions: Regions | None = None,
    observer: Observer | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 25,
    resume: bool = False,
    extractor: keras.Model | None = None,
) -> Result:
    """Paint `content` in the manner of `style`.

    Args:
        content: float32 `[H, W, 3]`, RGB 0..1; the photograph.
        style: float32 `[H', W', 3]`, RGB 0..1; the painting, of any size, or several.
        settings: All that decides the result; same settings, same machine, same bits.
        regions: Which part is painted like which; without it all like a blend of all.
        observer: Called after every step.
        checkpoint: File that keeps the state, for `resume`.
        checkpoint_every: Steps between two states.
        resume: Go on from `checkpoint`; the result has the bits of an unbroken run.
        extractor: From `build_extractor` with the layers, the network and the precision
            of `settings`, for several runs; without it each builds its own.

    Returns:
        The picture and how the run ended.

    Raises:
        InputError: Settings, weights or the checkpoint can't be used.

    Example:
        >>> photo = load_image(Path("photo.jpg")).pixels
        >>> painting = load_image(Path("painting.jpg")).pixels
        >>> result = optimize_image(photo, painting, OptimizeSettings(size=384))
        >>> save_image(Path("out.png"), result.pixels)
    """
    settings = settings or OptimizeSettings()
    inputs = _inputs(content, style, settings, regions)
    run = _Run(inputs, settings, observer, checkpoint, checkpoint_every, extractor)
    state = load_checkpoint(checkpoint) if resume and checkpoint else None
    if state is not None:
        run.check(state)
    return run(state)


def measure_loss(
    pixels: np.ndarray,
    content: np.ndarray,
    style: np.ndarray | Sequence[np.ndarray],
    settings: OptimizeSettings,
    *,
    regions: Regions | None = None,
) -> LossParts:
    """Return the loss of a finished picture, as `measure_losses`."""
    return measure_losses([pixels], content, style, settings, regions=regions)[0]


def measure_losses(
    pictures: Sequence[np.ndarray],
    content: np.ndarray,
    style: np.ndarray | Sequence[np.ndarray],
    settings: OptimizeSettings,
    *,
    regions: Regions | None = None,
) -> list[LossParts]:
    """Return the losses of finished pictures in float32 arithmetic, as floats.

    Of their luminance, if that alone is painted.

    Args:
        pictures: float32 `[H, W, 3]`, RGB 0..1, of the final size of `settings`.
        content: The photograph as given to `optimize_image`.
        style: The style images as given to `optimize_image`.
        settings: The settings of the run.
        regions: The regions as given to `optimize_image`.
    """
    inputs = _inputs(content, style, settings, regions)
    stage = plan_stages(inputs.size, inputs.style_sizes, settings)[-1]
    tile = measuring_tile(_need(stage, settings, inputs.regions), settings, "float32")
    objective = tiled(_objective(settings, "float32"), tile)
    targets = inputs.targets(objective, stage, settings)
    if settings.weight_changes:
        weights = np.asarray(settings.weight_changes[-3:], "float32")
        targets = targets._replace(weights=weights)
    measure = _in_graph(objective, objective.measure)
    losses = []
    for pixels in pictures:
        if settings.color == "luminance":
            pixels = color.grey(color.luma(pixels))
        parts = measure(pixels[None], targets)
        losses.append(LossParts(*(float(ops.convert_to_numpy(x)) for x in parts)))
    return losses


def memory_plan(
    stages: Sequence[Stage],
    settings: OptimizeSettings,
    regions: Regions,
) -> MemoryPlan:
    """Return how the stages of a run fit into `settings.memory`.

    Raises:
        InputError: They don't; the message names the least limit that would do.
    """
    needs = [_need(stage, settings, regions) for stage in stages]
    return plan_memory(needs, settings, resolve_precision(settings.precision))


def _need(stage: Stage, settings: OptimizeSettings, regions: Regions) -> Need:
    loss = _part(settings.loss, stage.depth)
    count = 0 if regions.masks is None else regions.masks.shape[-1]
    return Need(stage.picture, stage.styles, loss, count)


def step_seconds(settings: OptimizeSettings, seed: int = 0) -> float:
    """Measure how long a tiled evaluation takes on this machine.

    It takes some seconds itself: a small picture is evaluated twice.

    Returns:
        Seconds for one number of `StageMemory.work`.
    """
    size, dtype = (_TRIAL, _TRIAL), resolve_precision(settings.precision)
    extractor = _objective(settings, dtype).extractor
    objective = TiledObjective(extractor, settings.loss, tile=_TRIAL)
    image = np.random.default_rng(seed).random((1, *size, 3)).astype("float32")
    targets = objective.targets(image, image)
    objective.loss_and_gradient(image, targets)
    start = time.monotonic()
    objective.loss_and_gradient(image, targets)
    seconds = time.monotonic() - start
    free = dataclasses.replace(settings, memory=None)
    return seconds / plan_memory([Need(size, (), settings.loss)], free, dtype).work


def _in_graph(objective: Objective, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of an objective as a graph, if it does not tile itself."""
    return function if isinstance(objective, TiledObjective) else in_graph(function)


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


class _Inputs(NamedTuple):
    """The pictures of a run, in the colours that the network should see.

    `colors` is the photograph as it was given.
    """

    content: np.ndarray
    styles: tuple[np.ndarray, ...]
    regions: Regions
    colors: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return _size(self.content)

    @property
    def style_sizes(self) -> list[tuple[int, int]]:
        return [_size(style) for style in self.styles]

    @property
    def arrays(self) -> list[np.ndarray]:
        """All that decides the result besides the settings."""
        chosen = self.regions
        given = [chosen.shares, chosen.strengths, chosen.masks, *chosen.paintings]
        pictures = [self.colors, *self.styles]
        if len(self.styles) == 1 and chosen.masks is None:
            return pictures
        return pictures + [x for x in given if x is not None]

    def targets(
        self, objective: Objective, stage: Stage, settings: OptimizeSettings
    ) -> Targets:
        """Return what a picture must match at the sizes of `stage`."""
        chosen, resample = self.regions, settings.resample
        photo = resize(self.content, *stage.picture, resample=resample)
        moments: list[dict[str, Any]] = []
        for style, mask, size in zip(
            self.styles, chosen.paintings, stage.styles, strict=True
        ):
            painting = resize(style, *size, resample=resample)
            if mask is not None:
                mask = resize(mask, *size, resample="bilinear")[None]
            extract = _in_graph(objective, objective.style_moments)
            moments.append(extract(painting[None], mask))
        blend = {
            key: sum(
                _by_region(share, part[key])
                for share, part in zip(chosen.shares, moments, strict=True)
            )
            for key in moments[0]
        }
        weights, masks = chosen.weights, chosen.masks
        if masks is not None:
            masks = resize(masks, *stage.picture, resample="bilinear")[None]
        return _in_graph(objective, objective.blended)(
            photo[None], blend, None if weights is None else weights[None], masks
        )

    def cover(self, stage: Stage) -> np.ndarray | None:
        """Return how much of each pixel may change, `[H, W]`."""
        cover = self.regions.cover
        if cover is None:
            return None
        return resize(cover, *stage.picture, resample="bilinear")


def _by_region(share: np.ndarray, moment: Tensor) -> Tensor:
    """Weigh a painting's moments `[1, R, ...]` or `[1, 1, ...]` by `[R]`."""
    return np.reshape(share, (1, -1) + (1,) * (len(moment.shape) - 2)) * moment


def _inputs(
    content: np.ndarray,
    style: np.ndarray | Sequence[np.ndarray],
    settings: OptimizeSettings,
    regions: Regions | None,
) -> _Inputs:
    styles = (style,) if isinstance(style, np.ndarray) else tuple(style)
    if regions is None:
        regions = whole(len(styles), settings.style_shares)
    photo, styles = color.prepare(
        content, styles, settings.color, linear_light=settings.linear_light
    )
    return _Inputs(photo, styles, regions, content)


def _objective(
    settings: OptimizeSettings, dtype: str, extractor: keras.Model | None = None
) -> Objective:
    extractor = extractor or build_extractor(
        settings.loss.layers, settings=settings.extractor, dtype=dtype
    )
    loss = settings.loss
    if settings.weight_changes and not loss.tv_weight:
        # Without weight it would not be computed, but it may get some.
        loss = dataclasses.replace(loss, tv_weight=1.0)
    return Objective(extractor, loss)


def _part(loss: LossSettings, depth: Depth) -> LossSettings:
    """Return what counts of a loss at a depth: itself where nothing is saved."""
    lambdas = layer_weights(loss)
    pairs = sorted(zip(loss.style_layers, lambdas, strict=True))  # Names sort by depth.
    content: tuple[str, ...] = ()
    if depth == "middle":
        content = loss.content_layers
        if len(pairs) < 2 or pairs[-1][0] <= max((*content, pairs[-2][0])):
            return loss
        pairs = pairs[:-1]
    elif depth == "shallow":
        pairs = pairs[: max(1, len(pairs) // 2)]
    if not pairs or depth == "whole":
        return loss
    names, lambdas = zip(*pairs, strict=True)
    return dataclasses.replace(
        loss,
        content_layers=content,
        style_layers=names,
        style_layer_weights=lambdas,
        style_layer_ratio=1.0,
    )


class _Run:
    """The state that lives through the stages of one run."""

    def __init__(
        self,
        inputs: _Inputs,
        settings: OptimizeSettings,
        observer: Observer | None,
        checkpoint: Path | None,
        checkpoint_every: int,
        extractor: keras.Model | None,
    ) -> None:
        self.extractor = extractor
        self.inputs, self.settings = inputs, settings
        self.observer, self.checkpoint = observer, checkpoint
        self.checkpoint_every = checkpoint_every
        self.dtype = resolve_precision(settings.precision)
        self.stages = plan_stages(inputs.size, inputs.style_sizes, settings)
        self.plan = memory_plan(self.stages, settings, inputs.regions)
        init = settings.init
        if init not in ("content", "noise", "style") and not Path(init).is_file():
            raise InputError(
                f"init must be content, noise, style or an image file; got {init}"
            )
        self.evaluations = 0
        self.changes = settings.weight_changes
        self.losses: list[float] = []
        self.reason: Reason = "finished"
        self.parts = LossParts(math.nan, math.nan, math.nan, math.nan)
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights of the terms at the next evaluation."""
        weights: tuple[float, ...] = self.settings.loss.term_weights
        for start in range(0, len(self.changes), 4):
            if self.changes[start] <= self.evaluations:
                weights = self.changes[start + 1 : start + 4]
        return weights

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """Return what two runs must share for one to continue the other."""
        images = hashlib.sha256()
        for image in self.inputs.arrays:
            images.update(repr(image.shape).encode())
            images.update(np.ascontiguousarray(image).tobytes())
        settings = to_dict(self.settings)
        settings["extractor"].pop("vgg_weights")
        return {
            "settings": settings,
            "images": images.hexdigest(),
            "dtype": self.dtype,
            "backend": keras.backend.backend(),
        }

    def check(self, state: Checkpoint) -> None:
        """Refuse a checkpoint of another run, naming what differs."""
        # Through JSON's eyes: a tuple and a list are the same.
        mine, theirs = _flatten(self.identity), _flatten(state.meta["identity"])
        differing = [key for key in mine if mine[key] != theirs.get(key)]
        if differing:
            listed = ", ".join(
                f"{key} (there {theirs.get(key)}, now {mine[key]})" for key in differing
            )
            raise InputError(
                f"{self.checkpoint} belongs to another run; it differs in {listed}"
            )

    def __call__(self, state: Checkpoint | None) -> Result:
        whole = _objective(self.settings, self.dtype, self.extractor)
        objectives: dict[Depth, Objective] = {
            depth: Objective(whole.extractor, _part(whole.settings, depth))
            for depth in ("shallow", "middle")
        }
        objectives["whole"] = whole
        first, picture, previous, moments = 0, None, None, None
        generator: PixelImage | None = None
        targets: Targets | keras.layers.Layer | None = None
        optimizer: keras.optimizers.Optimizer | None = None
        if state is not None:
            meta = state.meta
            first, self.evaluations = meta["stage"], meta["evaluations"]
            self.losses = [float(x) for x in meta["losses"]]
            self.parts = LossParts(*meta["parts"])
            self.changes = tuple(meta["weight_changes"])
            self.started -= meta["seconds"]
        for index in range(first, len(self.stages)):
            stage = self.stages[index]
            photo = self._resized(self.inputs.content, stage.picture)
            tile = self.plan.stages[index].tile
            objective = tiled(objectives[stage.depth], tile)
            if generator is None or optimizer is None:
                generator = self._generator(stage, photo, picture, previous)
                optimizer = self._optimizer(index)
                optimizer.build(generator.trainable_variables)
                if moments is not None:
                    _carry(moments, optimizer)
            # Large pictures are many of these: only what is used again is kept.
            previous = photo if index + 1 < len(self.stages) else None
            del photo
            if targets is None:
                # Those of the whole loss serve a middle stage, too.
                goal = index + (stage.depth == "middle")
                kind, part = self.stages[goal].depth, self.plan.stages[goal].tile
                targets = self._targets(tiled(objectives[kind], part), stage)
            model = StyleTransfer(generator, objective, targets)
            targets = model.targets if stage.depth == "middle" else None
            done = 0
            if state is not None:
                done = _restore(state, generator, optimizer)
                state = None
            model.compile(
                optimizer=optimizer,
                jit_compile=jit_compile() if tile is None else False,
                run_eagerly=tile is not None,
            )
            self._fit(model, index, done)
            del model
            if stage.depth == "middle" and self.reason == "finished":
                # The loss changes little: the pairs of its gradients still hold.
                if isinstance(optimizer, LBFGS):
                    optimizer.forget_last()
                gc.collect()
                continue
            if self.reason == "not finite":
                picture = generator.last_finite()
            else:
                picture = generator.picture()
            moments = optimizer if self.settings.optimizer == "adam" else None
            generator = optimizer = None
            gc.collect()  # A stage's graph and its variables hang in reference cycles.
            give_back()
            if self.reason in ("stopped", "not finite"):
                break
        assert picture is not None
        return Result(
            self.colored(resize(picture, *self.stages[-1].picture)),
            self.parts,
            self.evaluations,
            self.seconds,
            self.reason,
            dataclasses.replace(self.settings, weight_changes=self.changes),
        )

    def _generator(
        self,
        stage: Stage,
        photo: np.ndarray,
        picture: np.ndarray | None,
        previous: np.ndarray | None,
    ) -> PixelImage:
        """Return the pixels a stage begins with, from those of a coarser one if any."""
        if picture is None or previous is None:
            start = self._start(photo, stage)
        else:
            start = self._refine(picture, photo, previous)
        return PixelImage(
            start,
            constrained=self.settings.constrained,
            backdrop=photo,
            cover=self.inputs.cover(stage),
            greys=self._greys(stage),
        )

    def _targets(self, objective: Objective, stage: Stage) -> Targets:
        """Return what a picture must match, by the weights of now."""
        targets = self.inputs.targets(objective, stage, self.settings)
        if not self.changes:
            return targets
        return targets._replace(weights=np.asarray(self.weights, "float32"))

    def _greys(self, stage: Stage) -> Range | None:
        """Return the luminances that the photograph's colours allow, if only those."""
        if self.settings.color != "luminance":
            return None
        return color.luma_range(self._resized(self.inputs.colors, stage.picture))

    def colored(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture of the optimisation as the viewer should see it."""
        if self.settings.color != "luminance":
            return picture
        size = Size(*_size(picture))
        return color.keep_colors(picture, self._resized(self.inputs.colors, size))

    def _resized(self, image: np.ndarray, size: Size) -> np.ndarray:
        return resize(image, *size, resample=self.settings.resample)

    def _start(self, photo: np.ndarray, stage: Stage) -> np.ndarray:
        """Return the first picture of the run, `[H, W, 3]`."""
        init = self.settings.init
        height, width = photo.shape[:2]
        if init == "content":
            return photo
        if init == "style":
            painting = self._resized(self.inputs.styles[0], stage.styles[0])
            return resize(painting, width, height)
        if init == "noise":
            draw = np.random.default_rng(self.settings.seed).standard_normal(
                photo.shape
            )
            return np.clip(0.5 + 0.1 * draw, 0.0, 1.0).astype("float32")
        return resize(load_image(Path(init)).pixels, width, height)

    def _refine(
        self, picture: np.ndarray, photo: np.ndarray, previous: np.ndarray
    ) -> np.ndarray:
        """Enlarge a picture and add the photograph's detail of the finer scale.

        Without the detail the fine layers' Gram matrices start from almost nothing:
        91 instead of 167 million at short side 256, and 3 % less loss after 60
        evaluations (reference pair, weights of the notebook). Where content does not
        count, its detail is not wanted either.
        """
        height, width = photo.shape[:2]
        if not self.settings.loss.term_weights[0]:
            return resize(picture, width, height)
        detail = photo - resize(previous, width, height)
        return np.clip(resize(picture, width, height) + detail, 0.0, 1.0)

    def _optimizer(self, index: int) -> keras.optimizers.Optimizer:
        settings = self.settings
        if settings.optimizer == "adam":
            return keras.optimizers.Adam(
                settings.learning_rate or 0.02,
                beta_2=0.99,
                use_ema=settings.ema > 0,
                ema_momentum=settings.ema or None,
            )
        return LBFGS(
            settings.learning_rate or 1.0,
            history=self.plan.history,
            history_dtype=self.plan.history_dtype,
            backtracking=settings.backtracking,
            first_change=_FIRST_CHANGE[min(index, 1)],
        )

    def _fit(self, model: StyleTransfer, index: int, done: int) -> None:
        """Run the steps of one stage that are still to do."""
        steps = self.stages[index].steps - done
        if steps < 1:  # Stopped at the very end, before Keras put in Adam's average.
            model.optimizer.finalize_variable_values(model.trainable_variables)
            return
        watcher = _Watcher(self, model, index, done)
        model.fit(
            _counter(steps),
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[watcher],
        )

    def save(self, model: StyleTransfer, index: int, done: int) -> None:
        """Write the checkpoint, if the run has one."""
        if self.checkpoint is None:
            return
        meta = {
            "identity": self.identity,
            "stage": index,
            "done": done,
            "evaluations": self.evaluations,
            "losses": self.losses,
            "parts": list(self.parts),
            "seconds": self.seconds,
            "weight_changes": self.changes,
        }
        variables = _state_variables(model.generator, model.optimizer)
        save_checkpoint(self.checkpoint, meta, (_plain(v) for v in variables))


class _Watcher(keras.callbacks.Callback):
    """Counts, reports, checks and saves after every step of one stage."""

    def __init__(self, run: _Run, model: StyleTransfer, index: int, done: int) -> None:
        super().__init__()
        self.run, self.transfer, self.index, self.done = run, model, index, done

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        """Handle the step that just ended."""
        _ = self.model  # Under JAX this brings the variables up to date.
        run, logs = self.run, logs or {}
        before = run.weights
        run.evaluations += 1
        self.done += 1
        parts = LossParts(*(float(logs[name]) for name in LossParts._fields))
        if not math.isfinite(parts.total):
            run.reason = "not finite"
            self.transfer.stop_training = True
            return
        run.parts = parts
        run.losses = [*run.losses, parts.total][-_WINDOW - 1 :]
        if run.observer is not None:
            step = Step(
                self.index,
                run.stages[self.index].picture,
                run.stages[self.index].depth,
                self.done,
                run.evaluations,
                parts,
                run.seconds,
                lambda: run.colored(self.transfer.generator.picture()),
                before,
                self._weigh,
            )
            if run.observer(step):
                run.reason = "stopped"
        if run.weights != before:
            self._apply()
        last = self.done == run.stages[self.index].steps
        if self._converged():
            # The stage counts as complete, for a resumed run too.
            self.done = run.stages[self.index].steps
            run.reason = (
                "converged" if self.index == len(run.stages) - 1 else run.reason
            )
            last = self.transfer.stop_training = True
        if last:
            run.losses = []
        if run.reason == "stopped":
            self.transfer.stop_training = True
        if last or run.reason == "stopped" or self.done % run.checkpoint_every == 0:
            run.save(self.transfer, self.index, self.done)

    def _weigh(self, *weights: float) -> None:
        """Note other weights for the evaluations to come."""
        run = self.run
        if not run.changes:
            raise InputError("these settings have no weight_changes")
        earlier = len(run.changes)
        while earlier and run.changes[earlier - 4] >= run.evaluations:
            earlier -= 4  # What was planned for later, or said a moment ago.
        changes = (*run.changes[:earlier], float(run.evaluations), *weights)
        dataclasses.replace(run.settings, weight_changes=changes)  # Checks them.
        run.changes = changes

    def _apply(self) -> None:
        """Let new weights act: the losses before do not compare, nor the gradients."""
        run = self.run
        run.losses = []
        self.transfer.targets.weigh(run.weights)
        if isinstance(self.transfer.optimizer, LBFGS):
            self.transfer.optimizer.reset()

    def _converged(self) -> bool:
        losses, tolerance = self.run.losses, self.run.settings.tolerance
        if not tolerance or len(losses) <= _WINDOW:
            return False
        return losses[0] - losses[-1] < tolerance * losses[0]


def _counter(steps: int) -> Any:
    """Return data for `fit` whose `[1, 1]` batches only count the steps."""
    row = np.zeros((1, 1), "float32")
    if keras.backend.backend() != "tensorflow":
        return ((row,) for _ in range(steps))
    import tensorflow as tf

    return untuned(tf.data.Dataset.from_tensors(row).repeat(steps))


def _state_variables(
    generator: PixelImage, optimizer: keras.optimizers.Optimizer
) -> list[keras.Variable]:
    return [*generator.variables, *optimizer.variables]


def _plain(variable: keras.Variable) -> np.ndarray:
    """Return the value in a dtype that every NumPy reads."""
    half = keras.backend.standardize_dtype(variable.dtype) == "bfloat16"
    return np.asarray(variable, "float32" if half else None)


def _restore(
    state: Checkpoint, generator: PixelImage, optimizer: keras.optimizers.Optimizer
) -> int:
    """Put a checkpoint's values into the variables; return the steps already done."""
    variables = _state_variables(generator, optimizer)
    for variable, value in zip(variables, state.arrays, strict=True):
        variable.assign(value)
    return int(state.meta["done"])


def _carry(
    earlier: keras.optimizers.Optimizer, optimizer: keras.optimizers.Optimizer
) -> None:
    """Start Adam from the moments of the stage before, resized (as crowsonkb does).

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


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = (
                list(value)
                if isinstance(value, Sequence) and not isinstance(value, str)
                else value
            )
    return flat
