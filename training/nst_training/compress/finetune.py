"""Training of a network in closed form on the pictures that an optimiser would see.

Every step takes runs of our own (see `runs`), compares both networks on their pictures
(see `matching`), and moves on both the compressed network and the pictures.
"""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from nst_tf.backend.compile import compiled, gradient_and_rest
from nst_tf.optimizers.muon import orthogonalize
from nst_tf.running.checkpoint import load_checkpoint, save_checkpoint
from nst_tf.running.identity import RunIdentity
from nst_training.compress.forward import Numbers
from nst_training.compress.matching import Match, mismatch
from nst_training.compress.pictures import Pictures, variety
from nst_training.compress.runs import Runs
from nst_training.compress.settings import CompressSettings

Tensor = Any
State = dict[str, dict[str, Any]]
"""`numbers`, their moving `average`, `mean` and `square` of gradients, by name."""
_FIXED = "block1_conv1/"
"""What stays as VGG has it."""
_MOMENTUM, _MEAN, _SQUARE, _AVERAGE = 0.95, 0.9, 0.99, 0.99
_ADAM = 0.3
"""Rate of the biases, over that of the kernels."""
_WARM = 30
"""Steps in which the rate rises."""


class CompressStep(NamedTuple):
    """One step, as the observer sees it.

    Attributes:
        step: Number of the step, from 1.
        loss: The mismatch of its batch.
        cosine: Of the two gradients, averaged over the batch.
        features: Layer -> relative squared error.
        grams: Style layer -> relative squared error.
        seconds: Since the start or the resumption.
    """

    step: int
    loss: float
    cosine: float
    features: dict[str, float]
    grams: dict[str, float]
    seconds: float


Observer = Callable[[CompressStep], bool | None]
"""Called after every step; returning True ends the training after a checkpoint."""


class Progress(NamedTuple):
    """How far a training is.

    Attributes:
        state: The numbers and what the optimiser keeps of them.
        rates: Step length of every array at a rate of 1, one a channel or one for all.
        done: Steps made.
        figures: JSON-ready, for the card: what the closed form came to.
    """

    state: State
    rates: dict[str, np.ndarray]
    done: int
    figures: dict[str, Any]


def begin(
    numbers: Mapping[str, Any],
    errors: Mapping[str, float],
    figures: Mapping[str, Any] | None = None,
) -> Progress:
    """Return the progress before the first step.

    Args:
        numbers: Those of the closed form.
        errors: Its features' errors, by layer.
        figures: For the card.
    """
    wide = {key: np.asarray(value, "float32") for key, value in numbers.items()}
    still = {key: np.zeros_like(value) for key, value in wide.items()}
    state = {
        "numbers": wide,
        "average": dict(wide),
        "mean": still,
        "square": dict(still),
    }
    return Progress(state, rates_of(wide, errors), 0, dict(figures or {}))


def resumed(path: Path, identity: RunIdentity) -> Progress:
    """Return the progress that `Finetuning` saved.

    Raises:
        InputError: No state, or one of another compression.
    """
    saved = load_checkpoint(path)
    identity.check(saved.meta.get("identity", {}), path)
    state: State = {}
    for name, array in saved.arrays.items():
        part, _, key = name.partition("/")
        state.setdefault(part, {})[key] = array
    rates = state.pop("rates")
    return Progress(state, rates, int(saved.meta["step"]), saved.meta["figures"])


def rates_of(
    numbers: Mapping[str, Any], errors: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Return the step length of every array: its root mean square by its layer's error.

    A layer that is all but exact has little to learn and much to lose. The 3x3 kernels
    have one a channel: their channels are principal axes, some a hundred times smaller
    than others, and steps of one length would drown those.
    """
    worst = max(errors.values())
    rates = {}
    for key, value in numbers.items():
        part = math.sqrt(errors[key.split("/")[0]] / max(worst, 1e-20))
        axes = (0, 1, 2) if key.endswith("/kernel") else None
        size = np.sqrt(np.mean(np.square(np.asarray(value)), axis=axes))
        rates[key] = np.float32(0.0 if key.startswith(_FIXED) else part) * size
    return rates


def moved(
    state: State,
    gradients: Mapping[str, Tensor],
    rates: Mapping[str, Tensor],
    rate: Tensor,
    step: Tensor,
) -> State:
    """Return the state after one step: Muon for kernels, Adam for biases.

    Args:
        state: That before.
        gradients: By name.
        rates: Root mean square of the step of every array, or of its channels.
        rate: What they are multiplied by.
        step: Number of the step, from 1, float32 scalar.
    """
    after: State = {part: {} for part in state}
    keep = ops.minimum(_AVERAGE, (1.0 + step) / (10.0 + step))
    for key, value in state["numbers"].items():
        mean, square, gradient = (
            state["mean"][key],
            state["square"][key],
            gradients[key],
        )
        if key.endswith("/bias"):
            mean = _MEAN * mean + (1 - _MEAN) * gradient
            square = _SQUARE * square + (1 - _SQUARE) * ops.square(gradient)
            spread = ops.sqrt(square / (1 - _SQUARE**step)) + 1e-12
            way = _ADAM * (mean / (1 - _MEAN**step)) / spread
        else:
            # In units in which all channels of the kernel are of one size.
            gradient = gradient * rates[key]
            mean = _MOMENTUM * mean + gradient
            way = _even(gradient + _MOMENTUM * mean)
        new = value - rate * rates[key] * way
        after["mean"][key], after["square"][key] = mean, square
        after["numbers"][key] = new
        after["average"][key] = keep * state["average"][key] + (1 - keep) * new
    return after


def _even(way: Tensor) -> Tensor:
    """Return a kernel's step with equal singular values, of root mean square 1."""
    flat = ops.reshape(way, (-1, way.shape[-1]))  # [3*3*C_in, r] or [r, C_out]
    scale = float(max(flat.shape)) ** 0.5
    return scale * ops.reshape(orthogonalize(flat), way.shape)


def rate_at(settings: CompressSettings, step: int) -> float:
    """Return the rate of a step, from 1: a short rise, then half a cosine down."""
    share = min(1.0, step / settings.steps)
    return (
        settings.rate * min(1.0, step / _WARM) * (0.5 + 0.5 * math.cos(math.pi * share))
    )


class Finetuning:
    """The training of one compressed network.

    Args:
        settings: All that decides the numbers.
        progress: Where to begin or to go on; the runs begin anew in any case.
        exact: The numbers of VGG.
        photos: Photographs.
        paintings: Paintings.
        identity: What a state must share to be resumed.
        dtype: Compute dtype.
    """

    def __init__(
        self,
        settings: CompressSettings,
        progress: Progress,
        exact: Numbers,
        photos: Pictures,
        paintings: Pictures,
        *,
        identity: RunIdentity,
        dtype: str = "float32",
    ) -> None:
        self.settings, self.identity = settings, identity
        self.photos, self.paintings = photos, paintings
        self.state, rates, self.done, self.figures = progress
        self.rates = rates

        def step(
            state: State,
            fixed: Numbers,
            batch: dict[str, Tensor],
            rate: Tensor,
            count: Tensor,
        ) -> tuple[State, Tensor, Match]:
            def loss(values: Any) -> tuple[Tensor, tuple[Tensor, Match]]:
                total, match = mismatch(values, fixed, batch, dtype=dtype)
                return total, (total, match)

            slopes, (total, match) = gradient_and_rest(loss, state["numbers"])
            return moved(state, slopes, rates, rate, count), total, match

        self._step, self._exact = compiled(step), exact

    def save(self, path: Path) -> None:
        """Write the state."""
        parts = {**self.state, "rates": self.rates}
        arrays = (
            (f"{part}/{key}", np.asarray(ops.convert_to_numpy(value)))
            for part, values in parts.items()
            for key, value in values.items()
        )
        meta = {
            "identity": self.identity.facts,
            "step": self.done,
            "figures": self.figures,
        }
        save_checkpoint(path, meta, arrays)

    def __call__(
        self, path: Path, *, every: int = 100, observer: Observer | None = None
    ) -> Numbers:
        """Train to the end, or until the observer says so; return the averages."""
        chosen, started = self.settings, time.monotonic()
        draw = np.random.default_rng((chosen.seed, self.done))
        pool = [
            Runs(
                draw, self.photos, self.paintings, size=chosen.crop, count=chosen.batch
            )
            for _ in range(chosen.runs)
        ]
        while self.done < chosen.steps:
            runs = pool[self.done % len(pool)]
            self.done += 1
            total, match = self._advance(runs, draw)
            stopped = observer is not None and observer(
                CompressStep(
                    self.done,
                    total,
                    float(ops.mean(match.cosines)),
                    {k: float(v) for k, v in match.features.items()},
                    {k: float(v) for k, v in match.grams.items()},
                    time.monotonic() - started,
                )
            )
            if stopped or self.done % every == 0 or self.done == chosen.steps:
                self.save(path)
            if stopped:
                break
        return {
            key: np.asarray(ops.convert_to_numpy(value))
            for key, value in self.state["average"].items()
        }

    def _advance(self, runs: Runs, draw: np.random.Generator) -> tuple[float, Match]:
        """Make one step of the network, if it is finite, and of the runs' pictures."""
        other = variety(draw, self.photos, self.paintings, self.settings.crop)
        batch = {
            "pictures": runs.pictures,
            "photos": runs.photos,
            "style": runs.style,
            "others": other[None],
            "absolute": runs.absolute,
            "content": runs.content,
            "weight": runs.weight,
        }
        state, total, match = self._step(
            self.state,
            self._exact,
            batch,
            np.float32(rate_at(self.settings, self.done)),
            np.float32(self.done),
        )
        if math.isfinite(float(total)):
            self.state = state
        mine, exact = (ops.convert_to_numpy(x) for x in (match.slope, match.exact))
        runs.advance(np.where(runs.exact[:, None, None, None], exact, mine))
        return float(total), match
