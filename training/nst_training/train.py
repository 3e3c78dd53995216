"""Training of a transform network: the style-transfer loss over many photographs.

References:
    Johnson et al. 2016, https://arxiv.org/abs/1603.08155
    Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629
"""

import math
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nst_tf.backend.compile import jit_compile
from nst_tf.imaging.folder import Folder
from nst_tf.imaging.write import check_output
from nst_tf.loss.choice import with_network
from nst_tf.network.trained import STATE
from nst_tf.network.transform import TransformNetwork, build_network
from nst_tf.running.callbacks import FiniteGuard, Report, SaveState
from nst_tf.running.checkpoint import Checkpoint, StateFile, named_variables
from nst_tf.running.identity import RunIdentity, extractor_facts, hash_arrays
from nst_tf.running.progress import Progress
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_plain
from nst_tf.settings.network import NetworkSettings
from nst_training.bucket import THREADS, Bucket
from nst_training.budget import ContentBudget
from nst_training.callbacks import Preview, TrainedWeights, is_finite
from nst_training.data import Batches, Source, check_usable, hash_names
from nst_training.distribute import gpus, spread
from nst_training.events import Observer, Trained, TrainStep
from nst_training.feed import dataset_of
from nst_training.growing import Base
from nst_training.objectives import Objectives, read_paintings
from nst_training.optimizer import build_optimizer
from nst_training.outputs import Outputs, results
from nst_training.painted import (
    PaintedBatches,
    PaintedTransfer,
    Painter,
    build_painter,
    standardise,
)
from nst_training.resident import ResidentBatches, read_squares
from nst_training.settings import TrainSettings
from nst_training.transfer import NetworkTransfer
from nst_training.workers.group import Workers

_GIVE_UP = 5
"""Losses that are not finite after which lowering the rate has no chance."""


def train(
    settings: TrainSettings,
    source: Source,
    folder: str | PathLike[str],
    *,
    observer: Observer | None = None,
    checkpoint_every: int = 250,
    preview_every: int = 500,
    base: str | PathLike[str] | None = None,
    kept: bool = False,
    resume: bool = False,
    in_memory: bool = False,
    workers: Workers | None = None,
) -> Trained:
    """Train a network and write it, with its card, into a folder.

    Args:
        settings: All that decides the weights.
        source: The photographs, from `open_source`.
        folder: Where model, card, state and previews go; made if it is not there.
        observer: Called after every step.
        checkpoint_every: Steps between two states (0: none but at the end, or when the
            run is stopped).
        preview_every: Steps between two previews (0: none).
        base: Folder of a trained model to start from. `settings.styles` has its styles,
            and maybe more after them; strengths and weights of the loss may be others.
        kept: Train only the rows of gamma and beta of the styles that are added to
            those of `base`; all other weights keep their bits.
        resume: Go on from the state in `folder`; the result has the bits of an
            unbroken run.
        in_memory: Hold all photographs of a folder in the memory of the device that
            trains, and cut crops there: what a GPU needs to be kept busy.
        workers: The processes that train together, of which this is one, from `join`.
            All call this function with the same arguments; the first writes.

    Raises:
        InputError: Settings, pictures, weights or the state can't be used, or the loss
            is not finite whatever the rate.

    Example:
        >>> settings = read_recipe("recipe.toml", steps=2000)
        >>> train(settings, Folder("photographs"), "out")
    """
    settings, folder = with_network(settings), Path(folder)
    workers = workers or Workers()
    if workers.first:
        check_output(folder / "preview.png")
    run = _Run(
        settings,
        source,
        folder,
        observer,
        checkpoint_every,
        preview_every,
        Base(Path(base), settings, kept=kept) if base is not None else None,
        in_memory,
        workers,
    )
    return run(run.file.load() if resume else None)


class _Run:
    """The state of one training."""

    def __init__(
        self,
        settings: TrainSettings,
        source: Source,
        folder: Path,
        observer: Observer | None,
        checkpoint_every: int,
        preview_every: int,
        base: Base | None,
        in_memory: bool,
        workers: Workers,
    ) -> None:
        if in_memory and not isinstance(source, Folder):
            raise InputError("only photographs of a folder can be held in memory")
        if isinstance(source, Folder):
            check_usable(source)
        self.in_memory, self.workers = in_memory, workers
        self.settings, self.source, self.folder = settings, source, folder
        self.base = base
        self.known = len(base.model.styles) if base is not None and base.kept else 0
        self.observer = observer
        self.checkpoint_every, self.preview_every = checkpoint_every, preview_every
        self.squares: np.ndarray | None = None
        self.unread: dict[str, str] = {}
        if settings.paintings is not None:
            files = Folder(settings.paintings, leave=results(folder)).files
            self.squares, self.unread = read_squares(files, settings.size)
        paintings = read_paintings(settings, known=self.known)
        self.objectives = Objectives(settings, paintings)
        self.file = StateFile(folder / STATE, self._identity())
        self.outputs = Outputs(folder, settings, self.base)
        self.progress = Progress()
        self.progress.steps = settings.steps
        self.lowered = 0
        self.saved = False
        self.budget: ContentBudget | None = None

    def _identity(self) -> RunIdentity:
        facts = to_plain(self.settings)
        facts["extractor"] = extractor_facts(self.settings.extractor)
        facts.pop("paintings")
        for style in facts["styles"]:
            for key in ("image", "credit", "licence"):
                style.pop(key)
        facts |= {
            "paintings": hash_arrays(
                self.objectives.paintings if self.squares is None else [self.squares]
            ),
            "dtype": self.objectives.dtype,
            "backend": keras.backend.backend(),
            "base": self.base.hash if self.base is not None else None,
            "photographs": hash_names(self.source.names),
        }
        if self.known:
            facts["kept"] = True
        if self.in_memory:  # Other crops.
            facts["in_memory"] = True
        return RunIdentity(facts, hint=". Give another --output, or delete it")

    def __call__(self, state: Checkpoint | None) -> Trained:
        devices = self.workers.devices or gpus()
        if len(devices) > 1 and self.settings.batch % len(devices):
            raise InputError(
                f"batch must be a multiple of the {len(devices)} devices it is spread"
                f" over, got {self.settings.batch}"
            )
        with spread(devices):
            return self._train(state)

    def _train(self, state: Checkpoint | None) -> Trained:
        now = self.progress
        while True:
            now.reason, self.saved = "finished", False
            network, optimizer = self._start(state)
            for stage in self.objectives.stages(now.step):
                kind = NetworkTransfer if self.squares is None else PaintedTransfer
                self.model = kind(
                    network,
                    stage.objective,
                    stage.targets,
                    self.budget,
                    temporal_weight=self.settings.temporal_weight,
                    tone_weight=self.settings.tone_weight,
                )
                self.model.compile(optimizer=optimizer, jit_compile=jit_compile())
                self._fit(stage.until)
                if now.reason != "finished":
                    break
            if not now.failed:
                break
            state = self._lowered(state)
        if self.workers.first:
            averaged = self.outputs.averaged(self.model, average=now.step > 0)
            self.outputs.write(averaged, now, self._told())
            if now.reason == "finished":
                (self.folder / STATE).unlink(missing_ok=True)
        return Trained(self.folder, now.step, now.loss, now.reason)

    def _start(
        self, state: Checkpoint | None
    ) -> tuple[TransformNetwork | Painter, keras.optimizers.Optimizer]:
        """Return network and optimizer at their start, or as a state has them."""
        settings = self.settings
        keras.utils.set_random_seed(settings.seed)
        dtype = self.objectives.dtype
        half = f"mixed_{dtype}" if dtype != "float32" else "float32"
        shape = self._network(dtype=half)
        network: TransformNetwork | Painter
        if self.squares is None:
            network = build_network(shape)
        else:
            network = build_painter(shape, encoder_dtype=dtype)
            if state is None and not (self.base is not None and self.base.encoded):
                standardise(network.encoder, self.squares)
        if self.base is not None:
            self.base.start(network)
        # Here, where variables are spread over the devices; anew after a bad loss.
        if budgets := settings.budgets:
            start = self.base.style_factors if self.base is not None else None
            self.budget = ContentBudget(budgets, start)
        if state is not None:
            self.progress.restore(state.meta)
            self.lowered = state.meta["lowered"]
        optimizer = build_optimizer(settings, self.lowered)
        optimizer.build(network.trainable_variables)
        if state is not None:
            self.file.restore(state, self._variables(network, optimizer))
        return network, optimizer

    def _network(self, **changes: Any) -> NetworkSettings:
        form = self.base.form if self.base is not None else {}
        return self.settings.network(**form, **changes)

    def _lowered(self, state: Checkpoint | None) -> Checkpoint | None:
        """Count a loss that is not finite; return the state to go on from."""
        lowered = self.lowered + 1
        if math.isnan(self.progress.loss.total) and lowered > 1:
            raise InputError(
                "the loss of the first step is not finite, whatever is drawn for it:"
                " lower the weights of its terms"
            )
        if lowered > _GIVE_UP:
            last = f"the last good state is in {self.folder}"
            raise InputError(
                f"the loss stopped being finite {lowered} times;"
                f" {last if self.saved or state else 'no state was saved'}. Lower"
                " learning_rate or the weights, or set clip"
            )
        state = self.file.load() if self.saved else state
        if state is not None:
            state.meta["lowered"] = lowered
        else:
            self.progress.step = self.progress.done = 0
        self.lowered = lowered
        return state

    def _fit(self, until: int) -> None:
        """Make the steps up to one that are still to do."""
        settings, now = self.settings, self.progress
        if now.step >= until:
            return
        batches = self._batches()
        previews = self.preview_every if self.workers.first else 0
        preview = Preview(now, self._preview, every=previews)
        trained = TrainedWeights(now, self.model.generator, until)
        try:
            self.model.fit(
                dataset_of(
                    batches,
                    now.step,
                    relight=settings.relight,
                    copy=settings.temporal_weight > 0,
                    paintings=self.squares,
                ),
                epochs=1,
                steps_per_epoch=until - now.step,
                shuffle=False,
                verbose=0,
                callbacks=[
                    FiniteGuard(now),
                    preview,
                    Report(now, lambda: self._tell(batches, preview.sheet)),
                    SaveState(now, self._save, every=self.checkpoint_every),
                    trained,
                ],
            )
            trained.put_back()
        except Exception as error:
            if batches.problem is not None:  # tf.data wraps it in an error of its own.
                raise batches.problem from error
            raise

    def _batches(self) -> Batches | PaintedBatches:
        """Return what to train on: read on the way, or held."""
        settings = self.settings
        drawn: dict[str, Any] = {
            "size": settings.size,
            "batch": settings.batch,
            "styles": len(settings.styles) or 1,
            # Another draw after a loss that was not finite, still reproducible.
            "seed": settings.seed + 1000 * self.lowered,
            "mix": settings.mix,
            "weaker": settings.weaker if self._network().trained_strength else 0.0,
            "known": self.known,
            "share": self.workers.share,
        }
        batches: Batches
        if self.in_memory and isinstance(self.source, Folder):
            batches = ResidentBatches(self.source.files, **drawn)
        else:
            if isinstance(self.source, Bucket):
                drawn["threads"] = THREADS
            batches = Batches(self.source, **drawn)
        if self.squares is None:
            return batches
        return PaintedBatches(batches, len(self.squares), settings.mix)

    def _tell(
        self, batches: Batches | PaintedBatches, preview: np.ndarray | None
    ) -> bool | None:
        """Tell the observer of a step; return whether any worker's wants an end."""
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        now = self.progress
        broken = {**self.unread, **self.workers.all_broken(batches.broken)}
        stop = self.observer is not None and self.observer(
            TrainStep(
                now.step,
                now.loss,
                rate,
                now.seconds,
                broken,
                self.lowered,
                preview,
                self._told(),
            )
        )
        return self.workers.any(bool(stop))

    def _preview(self) -> np.ndarray | None:
        network = self.outputs.averaged(self.model)
        return self.outputs.preview(
            network, self.source, self.progress.step, self.squares
        )

    def _told(self) -> dict[str, list[float]]:
        return self.budget.told() if self.budget is not None else {}

    def _save(self) -> None:
        if not is_finite(self.model.generator):  # The loss is that of before the step.
            self.progress.reason = "not finite"
            self.model.stop_training = True
            return
        if self.workers.first:
            facts = {**self.progress.facts(), "lowered": self.lowered}
            variables = self._variables(self.model.generator, self.model.optimizer)
            self.file.save(facts, variables)
        self.saved = True

    def _variables(
        self, network: keras.Model, optimizer: keras.optimizers.Optimizer
    ) -> dict[str, keras.Variable]:
        parts: dict[str, Any] = {"generator": network, "optimizer": optimizer}
        if self.budget is not None:
            parts["budget"] = self.budget
        return named_variables(**parts)
