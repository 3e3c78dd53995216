"""Training of a transform network: the style-transfer loss over many photographs.

References:
    Johnson et al. 2016, https://arxiv.org/abs/1603.08155
    Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629
"""

import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from nst_tf import __version__
from nst_tf.backend.compile import jit_compile
from nst_tf.backend.precision import resolve_precision
from nst_tf.files import replacing, sha256
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import fit, resize
from nst_tf.imaging.write import check_output, save_image
from nst_tf.loss.objective import Objective
from nst_tf.loss.parts import LossParts
from nst_tf.loss.targets import MixedTargets
from nst_tf.loss.vgg import build_extractor
from nst_tf.network.trained import CARD, MODEL, PREVIEWS, STATE, Model, load_model
from nst_tf.network.transform import build_network
from nst_tf.optimizers.muon import Muon
from nst_tf.running.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nst_tf.running.transfer import StyleTransfer, untuned
from nst_tf.settings.checks import InputError
from nst_tf.settings.codec import to_plain
from nst_training.data import Batches, Source
from nst_training.distribute import gpus, spread
from nst_training.growing import adopt, keep_rows
from nst_training.settings import RATES, TrainSettings

Reason = Literal["finished", "stopped"]
_GIVE_UP = 5
"""Losses that are not finite after which lowering the rate has no chance."""


class TrainStep(NamedTuple):
    """One step of training, as the observer sees it.

    Attributes:
        step: Number of the step, from 1.
        loss: Parts of the loss of its batch.
        rate: Learning rate.
        seconds: Time since the start, without that between runs of a resumed one.
        broken: Photographs that could not be read, by name, with the reason.
        lowered: How often the loss was not finite and the rate was halved.
        preview: The sheet of previews that was written now, float32 `[H, W, 3]`.
    """

    step: int
    loss: LossParts
    rate: float
    seconds: float
    broken: dict[str, str]
    lowered: int
    preview: np.ndarray | None = None


class Trained(NamedTuple):
    """A trained network.

    Attributes:
        folder: Holds `model.keras`, `model.json` and, until the end, the state.
        step: Steps made.
        loss: Parts of the loss of the last batch.
        reason: `"finished"`, or `"stopped"` by the observer.
    """

    folder: Path
    step: int
    loss: LossParts
    reason: Reason


Observer = Callable[[TrainStep], bool | None]
"""Called after every step; returning True ends the run after a checkpoint."""


def train(
    settings: TrainSettings,
    source: Source,
    folder: Path,
    *,
    observer: Observer | None = None,
    checkpoint_every: int = 250,
    preview_every: int = 500,
    base: Path | None = None,
    resume: bool = False,
) -> Trained:
    """Train a network and write it, with its card, into a folder.

    Args:
        settings: All that decides the weights.
        source: The photographs, from `open_source`.
        folder: Where model, card, state and previews go; made if it is not there.
        observer: Called after every step.
        checkpoint_every: Steps between two states.
        preview_every: Steps between two previews (0: none).
        base: Folder of a trained model to start from. With the same styles, all of it
            is trained on; strengths and weights of the loss may be others. If
            `settings.styles` has one more at its end, only that one's rows of gamma
            and beta are trained, and all other weights keep their bits.
        resume: Go on from the state in `folder`; the result has the bits of an
            unbroken run.

    Raises:
        InputError: Settings, pictures, weights or the state can't be used, or the loss
            is not finite whatever the rate.

    Example:
        >>> settings = read_recipe(Path("recipe.toml"), steps=2000)
        >>> train(settings, Folder(Path("photographs")), Path("out"))
    """
    check_output(folder / "preview.png")
    run = _Run(
        settings, source, folder, observer, checkpoint_every, preview_every, base
    )
    state = load_checkpoint(folder / STATE) if resume else None
    if state is not None:
        run.check(state)
    return run(state)


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
        base: Path | None,
    ) -> None:
        self.settings, self.source, self.folder = settings, source, folder
        self.base = load_model(base) if base is not None else None
        # The base if it gets one style more: its weights keep their bits.
        self.growing: Model | None = None
        if self.base is not None:
            names = [style.name for style in settings.styles]
            if names[:-1] == self.base.styles:
                self.growing = self.base
            elif names != self.base.styles:
                raise InputError(
                    f"{base} has the styles {', '.join(self.base.styles)}, the settings"
                    f" {', '.join(names)}; they may have the same or one more"
                )
            if settings.width != self.base.card["recipe"].get("width"):
                raise InputError(f"{base} was not trained at width {settings.width:g}")
        self.observer = observer
        self.checkpoint_every, self.preview_every = checkpoint_every, preview_every
        new = settings.styles[-1:] if self.growing else settings.styles
        paintings = [
            _painting(style.image, style.size or settings.style_size) for style in new
        ]
        # Only an added style is ever asked for; any picture holds the others' place.
        self.paintings = paintings[:1] * (len(settings.styles) - len(new)) + paintings
        self.dtype = resolve_precision(settings.precision)
        self.step = self.lowered = 0
        self.loss = LossParts.unknown()
        self.reason: Reason = "finished"
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def identity(self) -> dict[str, Any]:
        """Return what two runs must share for one to continue the other."""
        digest = hashlib.sha256()
        for painting in self.paintings:
            digest.update(repr(painting.shape).encode() + painting.tobytes())
        settings = to_plain(self.settings)
        settings["extractor"].pop("vgg_weights")
        for style in settings["styles"]:
            for key in ("image", "credit", "licence"):
                style.pop(key)
        return {
            "settings": settings,
            "paintings": digest.hexdigest(),
            "dtype": self.dtype,
            "backend": keras.backend.backend(),
        }

    def check(self, state: Checkpoint) -> None:
        """Refuse the state of another run, naming what differs."""
        mine = json.loads(json.dumps(self.identity()))
        theirs = state.meta.get("identity", {})
        differing = [
            key
            for key in mine["settings"]
            if mine["settings"][key] != theirs.get("settings", {}).get(key)
        ]
        differing += [k for k in mine if k != "settings" and mine[k] != theirs.get(k)]
        if differing:
            raise InputError(
                f"{self.folder / STATE} belongs to another run; it differs in"
                f" {', '.join(differing)}. Give another --output, or delete it"
            )

    def __call__(self, state: Checkpoint | None) -> Trained:
        devices = gpus()
        if len(devices) > 1 and self.settings.batch % len(devices):
            raise InputError(
                f"batch must be a multiple of the {len(devices)} GPUs it is spread"
                f" over, got {self.settings.batch}"
            )
        with spread(devices):
            return self._train(state)

    def _train(self, state: Checkpoint | None) -> Trained:
        settings = self.settings
        extractor = build_extractor(
            settings.loss.layers, settings=settings.extractor, dtype=self.dtype
        )
        objective = Objective(extractor, settings.loss)
        strengths = [style.strength for style in settings.styles]
        targets = MixedTargets(objective, self.paintings, strengths)
        while True:
            keras.utils.set_random_seed(settings.seed)
            half = f"mixed_{self.dtype}" if self.dtype != "float32" else "float32"
            network = build_network(settings.network(dtype=half))
            if self.growing is not None:
                adopt(network, self.growing.network)
            elif self.base is not None:
                network.set_weights(self.base.network.get_weights())
            self.model = StyleTransfer(network, objective, targets)
            if state is not None:
                self.step, self.lowered = state.meta["step"], state.meta["lowered"]
                self.loss = LossParts.of(state.meta["loss"])
                self.started = time.monotonic() - state.meta["seconds"]
            optimizer = self._optimizer()
            optimizer.build(network.trainable_variables)
            if state is not None:
                _restore(state, network, optimizer)
            self.model.compile(optimizer=optimizer, jit_compile=jit_compile())
            self.failed = False
            if self.step < settings.steps:
                self._fit()
            if not self.failed:
                break
            state = self._lowered(state)
        self._write_model()
        if self.reason == "finished":
            (self.folder / STATE).unlink(missing_ok=True)
        return Trained(self.folder, self.step, self.loss, self.reason)

    def _lowered(self, state: Checkpoint | None) -> Checkpoint | None:
        """Count a loss that is not finite; return the state to go on from."""
        lowered = self.lowered + 1
        if lowered > _GIVE_UP:
            raise InputError(
                f"the loss stopped being finite {lowered} times; the last good state is"
                f" in {self.folder}. Lower learning_rate or the weights, or set clip"
            )
        path = self.folder / STATE
        state = load_checkpoint(path) if path.exists() and self.saved else state
        if state is not None:
            state.meta["lowered"] = lowered
        else:
            self.step = 0
        self.lowered = lowered
        return state

    def _optimizer(self) -> keras.optimizers.Optimizer:
        settings = self.settings
        rate = settings.learning_rate or RATES[settings.optimizer]
        peak = rate * 0.5**self.lowered
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0 if settings.warmup_steps else peak,
            max(1, settings.steps - settings.warmup_steps),
            alpha=0.01,
            warmup_target=peak if settings.warmup_steps else None,
            warmup_steps=settings.warmup_steps,
        )
        kind = Muon if settings.optimizer == "muon" else keras.optimizers.Adam
        return kind(
            schedule,
            global_clipnorm=settings.clip or None,
            use_ema=settings.ema > 0,
            ema_momentum=settings.ema or None,
            # Overwriting is done on a copy, when a model is written.
            ema_overwrite_frequency=None,
        )

    def _fit(self) -> None:
        settings = self.settings
        batches = Batches(
            self.source,
            size=settings.size,
            batch=settings.batch,
            styles=len(settings.styles),
            # Another draw after a loss that was not finite, still reproducible.
            seed=settings.seed + 1000 * self.lowered,
            mix=settings.mix,
            only=len(settings.styles) if self.growing is not None else None,
        )
        steps = settings.steps - self.step
        self.batches, self.saved = batches, False
        try:
            self.model.fit(
                _dataset(batches, self.step, settings),
                epochs=1,
                steps_per_epoch=steps,
                shuffle=False,
                verbose=0,
                callbacks=[_Watcher(self)],
            )
        except Exception as error:
            if batches.problem is not None:  # tf.data wraps it in an error of its own.
                raise batches.problem from error
            raise

    def sync(self) -> None:
        """Bring the variables up to date, which JAX keeps elsewhere during `fit`."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()

    def save(self) -> None:
        """Write the state."""
        self.sync()
        meta = {
            "identity": self.identity(),
            "step": self.step,
            "lowered": self.lowered,
            "loss": self.loss.flat(),
            "seconds": self.seconds,
        }
        variables = [*self.model.generator.variables, *self.model.optimizer.variables]
        arrays = [np.asarray(variable) for variable in variables]
        save_checkpoint(self.folder / STATE, meta, arrays)
        self.saved = True

    def averaged(self) -> keras.Model:
        """Return a float32 network with the moving average of the weights."""
        network, optimizer = self.model.generator, self.model.optimizer
        kept = network.get_weights()
        if self.settings.ema and self.step:
            optimizer.finalize_variable_values(network.trainable_variables)
        copy = network.rebuilt(dtype="float32")
        network.set_weights(kept)
        if self.growing is not None:
            # The average of equal numbers may differ from them in the last bit.
            keep_rows(copy, self.growing.network)
        return copy

    def preview(self) -> np.ndarray:
        """Write a sheet: two photographs, each in every style."""
        network = self.averaged()
        source = Batches(
            self.source,
            size=self.settings.size,
            batch=2,
            styles=len(self.settings.styles),
            seed=self.settings.seed + 1,
        )
        stream = source.open(0)
        photos = next(stream)["image"]
        stream.close()
        rows = []
        for photo in photos:
            weights = np.eye(len(self.settings.styles) + 1, dtype="float32")
            images = [photo]
            for weight in weights:
                inputs = {"image": photo[None], "style": weight[None]}
                images.append(keras.ops.convert_to_numpy(network(inputs))[0])
            rows.append(np.concatenate(images, axis=1))
        path = self.folder / PREVIEWS / f"{self.step:06d}.png"
        check_output(path)
        sheet = np.concatenate(rows)
        save_image(path, sheet)
        return sheet

    def _write_model(self) -> None:
        network = self.averaged()
        path = self.folder / MODEL
        with replacing(path) as part:
            network.save(part)
        settings = to_plain(self.settings)
        settings["extractor"].pop("vgg_weights")
        for style in settings["styles"]:
            style["image"] = Path(style["image"]).name
        new = self.settings.styles
        styles = []
        if self.growing is not None:
            styles, new = list(self.growing.card["styles"]), new[-1:]
        for style in new:
            styles.append(
                {
                    "name": style.name,
                    "credit": style.credit,
                    "licence": style.licence,
                    "sha256": sha256(style.image),
                }
            )
        card = {
            "program": f"nst-tf {__version__}",
            "name": self.settings.name,
            "styles": styles,
            "recipe": settings,
            "step": self.step,
            "loss": self.loss.flat(),
            "seconds": round(self.seconds),
        }
        if self.base is not None:
            card["base"] = {key: self.base.card[key] for key in ("name", "step")}
        text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
        with replacing(self.folder / CARD) as part:
            part.write_text(text, "utf-8")


class _Watcher(keras.callbacks.Callback):
    """Counts, reports, checks and saves after every step."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self.run = run

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        """Handle the step that just ended."""
        run, logs = self.run, logs or {}
        parts = LossParts.of(logs)
        if not math.isfinite(parts.total):
            run.failed = self.model.stop_training = True
            return
        run.step += 1
        run.loss = parts
        last = run.step == run.settings.steps
        stop, preview = False, None
        if run.preview_every and (last or run.step % run.preview_every == 0):
            run.sync()
            preview = run.preview()
        if run.observer is not None:
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            stop = bool(
                run.observer(
                    TrainStep(
                        run.step,
                        parts,
                        rate,
                        run.seconds,
                        run.batches.broken,
                        run.lowered,
                        preview,
                    )
                )
            )
        if stop:
            run.reason = "stopped"
            self.model.stop_training = True
        if last or stop or run.step % run.checkpoint_every == 0:
            run.save()


def _dataset(batches: Batches, start: int, settings: TrainSettings) -> Any:
    """Wrap the batches for `fit`: tf.data where TensorFlow runs, else as they are."""
    if keras.backend.backend() != "tensorflow":
        # Keras takes generators of tuples.
        return ((batch,) for batch in batches.open(start))
    import tensorflow as tf

    count = len(settings.styles) + 1
    shape = (settings.batch, settings.size, settings.size, 3)
    signature = {
        "image": tf.TensorSpec(shape, "float32"),
        "style": tf.TensorSpec((settings.batch, count), "float32"),
    }
    # A stream of its own for every iterator: a strategy may make several.
    data = tf.data.Dataset.from_generator(
        lambda: batches.open(start), output_signature=signature
    )
    return untuned(data.prefetch(2))


def _painting(path: Path, size: int) -> np.ndarray:
    pixels = load_image(path).pixels
    height, width = pixels.shape[:2]
    return resize(pixels, *fit(width, height, min(size, max(width, height)), "long"))


def _restore(
    state: Checkpoint, network: keras.Model, optimizer: keras.optimizers.Optimizer
) -> None:
    variables = [*network.variables, *optimizer.variables]
    for variable, value in zip(variables, state.arrays, strict=True):
        variable.assign(value)
