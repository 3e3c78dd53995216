"""Per-image optimisation from coarse to fine.

References:
    Gatys et al. 2016, https://doi.org/10.1109/CVPR.2016.265
    Gatys et al. 2017 (coarse to fine), https://arxiv.org/abs/1611.07865
"""

import dataclasses
import gc
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_tf.backend.allocator import trim_heap
from nst_tf.backend.compile import jit_compile
from nst_tf.backend.precision import resolve_precision
from nst_tf.files import sha256
from nst_tf.imaging.arrays import PictureLike
from nst_tf.imaging.guides import Regions
from nst_tf.imaging.resize import resize
from nst_tf.loss.choice import with_network
from nst_tf.loss.term import Targets
from nst_tf.optimizers.lbfgs import LBFGS
from nst_tf.painting.budget import BudgetSearch, build_search
from nst_tf.painting.canvas import Canvas, start_file
from nst_tf.painting.events import Observer, Result, Step
from nst_tf.painting.inputs import Inputs, prepare
from nst_tf.painting.measure import memory_plan
from nst_tf.painting.objectives import Objectives
from nst_tf.painting.optimizer import build_optimizer, carry_moments
from nst_tf.painting.pixels import PixelImage
from nst_tf.painting.schedule import plan_passes
from nst_tf.painting.weights import Reweigh, TermWeights
from nst_tf.painting.workshop import Workshop
from nst_tf.running.callbacks import FiniteGuard, Plateau, Report, SaveState
from nst_tf.running.checkpoint import Checkpoint, StateFile, named_variables
from nst_tf.running.identity import RunIdentity, extractor_facts, hash_arrays
from nst_tf.running.progress import Progress
from nst_tf.running.transfer import StyleTransfer, counter
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_dict
from nst_tf.settings.optimize import OptimizeSettings

Tensor = Any


def optimize_image(
    content: PictureLike,
    style: PictureLike | Sequence[PictureLike],
    settings: OptimizeSettings | None = None,
    *,
    regions: Regions | None = None,
    observer: Observer | None = None,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: int = 25,
    resume: bool = False,
    extractor: keras.Model | None = None,
    workshop: Workshop | None = None,
) -> Result:
    """Paint `content` in the manner of `style`.

    Args:
        content: The photograph: float32 `[H, W, 3]`, RGB 0..1, or what `as_pixels`
            makes that of, such as uint8 or a path.
        style: The painting, likewise, of any size; or a list of several.
        settings: All that decides the result; same settings, same machine, same bits.
        regions: Which part is painted like which; without it all like a blend of all.
        observer: Called after every step.
        checkpoint: File that keeps the state, for `resume`.
        checkpoint_every: Steps between two states (0: none but where a pass ends, or
            the run is stopped).
        resume: Go on from `checkpoint`; the result has the bits of an unbroken run.
        extractor: From `build_extractor` with the layers, the network and the precision
            of `settings`; without it the run builds its own.
        workshop: Keeps what this run builds for the next ones of equal settings.

    Returns:
        The picture and how the run ended.

    Raises:
        InputError: A picture, settings, weights or the checkpoint can't be used.

    Example:
        >>> photo = load_image("photo.jpg").pixels
        >>> painting = load_image("painting.jpg").pixels
        >>> result = optimize_image(photo, painting, OptimizeSettings(size=384))
        >>> save_image("out.png", result.pixels)
    """
    if resume and checkpoint is None:
        raise InputError("resume needs checkpoint, the file that has the state")
    settings = OptimizeSettings() if settings is None else settings
    if not isinstance(settings, OptimizeSettings):
        raise InputError(
            f"the settings must be OptimizeSettings, got {type(settings).__name__}"
        )
    settings = with_network(settings)
    inputs = prepare(content, style, settings, regions)
    kept = None if checkpoint is None else Path(checkpoint)
    run = _Run(inputs, settings, observer, kept, checkpoint_every, workshop, extractor)
    return run(run.file.load() if resume else None)


class _Run:
    """The state that lives through the passes of one run."""

    def __init__(
        self,
        inputs: Inputs,
        settings: OptimizeSettings,
        observer: Observer | None,
        checkpoint: Path | None,
        checkpoint_every: int,
        workshop: Workshop | None,
        extractor: keras.Model | None,
    ) -> None:
        self.start = start_file(settings.init)
        self.inputs, self.settings = inputs, settings
        self.workshop = workshop
        self.observer, self.checkpoint_every = observer, checkpoint_every
        self.dtype = resolve_precision(settings.precision)
        self.passes = plan_passes(inputs.size, inputs.style_sizes, settings)
        self.plan = memory_plan(self.passes, settings, inputs.regions)
        # Pictures and weights are read for it: a run that keeps no state needs none.
        identity = self._identity() if checkpoint is not None else RunIdentity({})
        self.file = StateFile(checkpoint, identity)
        self.weights = TermWeights(settings)
        self.objectives = Objectives(
            self.passes,
            self.plan,
            inputs,
            self.weights,
            dtype=self.dtype,
            workshop=workshop,
            extractor=extractor,
        )
        self.canvas = Canvas(inputs, settings)
        self.progress = Progress()
        self.losses: list[float] = []

    def _identity(self) -> RunIdentity:
        settings = to_dict(self.settings)
        settings["extractor"] = extractor_facts(self.settings.extractor)
        fixed = 0.0, *self.settings.loss.term_weights.values()
        if self.settings.weight_changes == fixed:  # As of --live, which comes and goes.
            settings["weight_changes"] = []
        facts = {
            "settings": settings,
            "images": hash_arrays(self.inputs.arrays),
            "dtype": self.dtype,
            "backend": keras.backend.backend(),
        }
        if self.start is not None:
            facts["start"] = sha256(self.start)
        return RunIdentity(facts)

    def __call__(self, state: Checkpoint | None) -> Result:
        first, picture, previous, moments = 0, None, None, None
        generator: PixelImage | None = None
        targets: Targets | keras.layers.Layer | None = None
        optimizer: keras.optimizers.Optimizer | None = None
        if state is not None:
            first = self._restore_facts(state)
        # All before the first step: the last one's weights may be unusable.
        for network in dict.fromkeys(stage.network for stage in self.passes[first:]):
            self.objectives.extractor(network)
        for index in range(first, len(self.passes)):
            stage = self.passes[index]
            photo = self.canvas.photograph(stage)
            place = self.settings, self.inputs, stage, index
            kept = self.workshop.model(*place) if self.workshop else None
            if kept and generator is not None and kept.generator is not generator:
                kept = None  # It was made for a run that was resumed there.
            if generator is None or optimizer is None:
                generator = self.canvas.pixels(stage, photo, picture, previous)
                if kept is None:
                    optimizer = build_optimizer(self.settings, self.plan, index)
                    optimizer.build(generator.trainable_variables)
                else:
                    kept.generator.restart(generator.picture())
                    generator, optimizer = kept.generator, kept.optimizer
                    optimizer.reset()
                if moments is not None:
                    carry_moments(moments, optimizer)
            # Large pictures are many of these: only what is used again is kept.
            previous = photo if index + 1 < len(self.passes) else None
            del photo
            if targets is None:
                targets = self.objectives.targets(index, self.progress.step)
            if kept is None:
                model = StyleTransfer(generator, self.objectives[index], targets)
            else:
                model = kept
                if isinstance(targets, Targets):
                    model.targets.replace(targets)
            shared = self.objectives.shares_targets(index)
            targets = model.targets if shared else None
            self.progress.done, self.progress.steps = 0, stage.steps
            if state is not None:
                self.progress.done = int(state.meta["done"])
                self.file.restore(state, _variables(generator, optimizer))
                state = None
            whole_picture = self.plan.stages[index].tile is None
            if kept is None:
                model.compile(
                    optimizer=optimizer,
                    jit_compile=jit_compile() if whole_picture else False,
                    run_eagerly=not whole_picture,
                )
                if self.workshop:
                    self.workshop.keep(model, *place)
            self._fit(model, index)
            del model, kept
            if stage.joined and self.progress.reason == "finished":
                if isinstance(optimizer, LBFGS):
                    optimizer.forget_last()
                generator.own()
                gc.collect()
                continue
            failed = self.progress.failed
            picture = generator.last_finite() if failed else generator.picture()
            moments = optimizer if self.settings.optimizer == "adam" else None
            generator = optimizer = None
            gc.collect()  # A pass' graph and its variables hang in reference cycles.
            trim_heap()
            if self.progress.reason in ("stopped", "not finite"):
                break
        assert picture is not None
        return self._result(picture)

    def _result(self, picture: np.ndarray) -> Result:
        now, changes = self.progress, self.weights.changes
        if now.reason in ("finished", "converged"):
            changes = self.weights.acted(now.step)
        return Result(
            self.canvas.colored(resize(picture, *self.passes[-1].picture)),
            now.loss,
            now.step,
            now.seconds,
            now.reason,
            dataclasses.replace(self.settings, weight_changes=changes),
        )

    def _fit(self, model: StyleTransfer, index: int) -> None:
        """Run the steps of one pass that are still to do."""
        now = self.progress
        steps = now.steps - now.done
        if steps < 1:  # Stopped at the very end, before Keras put in Adam's average.
            model.optimizer.finalize_variable_values(model.trainable_variables)
            return

        def ended() -> None:
            if index == len(self.passes) - 1:
                now.reason = "converged"

        plateau = Plateau(now, self.settings.tolerance, ended)
        plateau.losses = self.losses
        model.fit(
            counter(steps),
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[
                FiniteGuard(now),
                Report(now, lambda: self._tell(model, index)),
                *self._search(model.generator, index),
                Reweigh(now, self.weights, model, plateau),
                plateau,
                SaveState(
                    now,
                    lambda: self._save(model, index, plateau),
                    every=self.checkpoint_every,
                ),
            ],
        )
        self.losses = plateau.losses

    def _search(self, generator: PixelImage, index: int) -> list[BudgetSearch]:
        """Return what finds the weight of style in a pass, if anything does."""
        stage = self.passes[index]
        return build_search(
            self.progress,
            self.weights,
            self.passes,
            index,
            cover=self.inputs.cover(stage),
            photo=lambda: self.canvas.photograph(stage),
            picture=generator.picture,
            tile=self.plan.stages[index].tile,
            dtype=self.dtype,
        )

    def _tell(self, model: StyleTransfer, index: int) -> bool | None:
        """Tell the observer of a step; return whether it wants the run to end."""
        if self.observer is None:
            return None
        now, stage = self.progress, self.passes[index]
        return self.observer(
            Step(
                index,
                stage.picture,
                stage.depth,
                now.done,
                now.step,
                now.loss,
                now.seconds,
                lambda: self.canvas.colored(model.generator.picture()),
                self.weights.at(now.step - 1),
                lambda *weights: self.weights.steer(now.step, weights),
            )
        )

    def _save(self, model: StyleTransfer, index: int, plateau: Plateau) -> None:
        facts = {
            **self.progress.facts(),
            "pass": index,
            "losses": plateau.losses,
            "weight_changes": self.weights.changes,
            "searching": self.weights.searching,
        }
        self.file.save(facts, _variables(model.generator, model.optimizer))

    def _restore_facts(self, state: Checkpoint) -> int:
        """Go on from the facts of a state; return the pass that it was saved in."""
        self.progress.restore(state.meta)
        self.losses = [float(x) for x in state.meta["losses"]]
        self.weights.changes = (
            tuple(state.meta["weight_changes"]) or self.settings.weight_changes
        )
        self.weights.searching = bool(state.meta["searching"])
        return int(state.meta["pass"])


def _variables(
    generator: PixelImage, optimizer: keras.optimizers.Optimizer
) -> dict[str, keras.Variable]:
    return named_variables(generator=generator, optimizer=optimizer)
