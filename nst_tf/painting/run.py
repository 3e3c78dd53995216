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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_tf.backend.allocator import trim_heap
from nst_tf.backend.compile import jit_compile
from nst_tf.backend.precision import resolve_precision
from nst_tf.imaging import color
from nst_tf.imaging.guides import Regions
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import resize
from nst_tf.loss.objective import Objective
from nst_tf.loss.parts import LossParts
from nst_tf.loss.term import Targets
from nst_tf.loss.tiled import tiled
from nst_tf.optimizers.lbfgs import LBFGS
from nst_tf.painting.events import Observer, Reason, Result, Step
from nst_tf.painting.inputs import Inputs, build_objective, prepare, size_of
from nst_tf.painting.measure import memory_plan
from nst_tf.painting.pixels import PixelImage, Range
from nst_tf.painting.resume import carry, flatten, plain, restore, state_variables
from nst_tf.painting.schedule import Size, Stage, part_of, plan_stages
from nst_tf.running.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nst_tf.running.transfer import StyleTransfer, untuned
from nst_tf.settings import weight_changes
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_dict
from nst_tf.settings.loss import TERMS
from nst_tf.settings.optimize import Depth, OptimizeSettings

Tensor = Any
_WINDOW = 20
"""Evaluations over which the early stop compares the loss."""
_FIRST_CHANGE = (4 / 255, 1 / 255)
"""Mean change of L-BFGS' first step at the first stage and at the later ones."""


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
    inputs = prepare(content, style, settings, regions)
    run = _Run(inputs, settings, observer, checkpoint, checkpoint_every, extractor)
    state = load_checkpoint(checkpoint) if resume and checkpoint else None
    if state is not None:
        run.check(state)
    return run(state)


class _Run:
    """The state that lives through the stages of one run."""

    def __init__(
        self,
        inputs: Inputs,
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
        self.parts = LossParts.unknown()
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights of the terms at the next evaluation."""
        given = self.settings.loss.term_weights
        weights = weight_changes.weights_after(self.changes, self.evaluations, given)
        return tuple(weights.values())

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
        mine, theirs = flatten(self.identity), flatten(state.meta["identity"])
        differing = [key for key in mine if mine[key] != theirs.get(key)]
        if differing:
            listed = ", ".join(
                f"{key} (there {theirs.get(key)}, now {mine[key]})" for key in differing
            )
            raise InputError(
                f"{self.checkpoint} belongs to another run; it differs in {listed}"
            )

    def __call__(self, state: Checkpoint | None) -> Result:
        whole = build_objective(self.settings, self.dtype, self.extractor)
        objectives: dict[Depth, Objective] = {
            depth: Objective(whole.extractor, part_of(whole.settings, depth))
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
            self.parts = LossParts.of(meta["parts"])
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
                    carry(moments, optimizer)
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
                done = restore(state, generator, optimizer)
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
            trim_heap()
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
        size = Size(*size_of(picture))
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
        if not self.settings.loss.term_weights["content"]:
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
            "parts": self.parts.flat(),
            "seconds": self.seconds,
            "weight_changes": self.changes,
        }
        variables = state_variables(model.generator, model.optimizer)
        save_checkpoint(self.checkpoint, meta, (plain(v) for v in variables))


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
        parts = LossParts.of(logs)
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
        named = dict(zip(TERMS, weights, strict=True))
        changes = weight_changes.changed(run.changes, run.evaluations, named)
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
