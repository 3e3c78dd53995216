"""From a VGG weight file to the file of a compressed loss network."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from nst_tf import __version__
from nst_tf.backend.precision import resolve_precision
from nst_tf.files import replacing, sha256
from nst_tf.imaging.folder import names_below
from nst_tf.loss.choice import hash_kernel
from nst_tf.loss.geometry import GEOMETRIES
from nst_tf.loss.lite_weights import LiteWeights, write_lite
from nst_tf.loss.weight_files import Weights, read_weights
from nst_tf.running.identity import RunIdentity
from nst_training.compress.finetune import (
    Finetuning,
    Observer,
    Progress,
    begin,
    resumed,
)
from nst_training.compress.forward import exact_numbers, factors_of, numbers_of
from nst_training.compress.importance import importance
from nst_training.compress.pictures import Pictures, variety
from nst_training.compress.ranks import choose_ranks
from nst_training.compress.regression import compress, energies
from nst_training.compress.settings import CompressSettings
from nst_training.data import hash_names

CREDIT = (
    "Compressed from the {network} weights of Karen Simonyan and Andrew Zisserman,"
    " Visual Geometry Group, University of Oxford, https://arxiv.org/abs/1409.1556,"
    " CC BY 4.0, https://creativecommons.org/licenses/by/4.0/. Changed: every"
    " convolution but the first is factored, fitted and quantised."
)
_DEEPEST = "block5_conv1"


class Compressed(NamedTuple):
    """A compression.

    Attributes:
        path: The file.
        done: Steps made.
        finished: Whether they are all.
        card: What the file says of itself.
        broken: Why pictures were left out that can't be read, one after the other.
    """

    path: Path
    done: int
    finished: bool
    card: dict[str, Any]
    broken: list[str]


def compress_network(
    weights: Path,
    photos: Sequence[Path],
    paintings: Sequence[Path],
    output: Path,
    *,
    settings: CompressSettings | None = None,
    checkpoint_every: int = 100,
    observer: Observer | None = None,
    resume: bool = False,
) -> Compressed:
    """Compress a VGG up to its fifth block, and write it.

    Args:
        weights: Its HDF5 file.
        photos: Photographs.
        paintings: Paintings.
        output: The file; the state of an unfinished training is `state_of` it.
        settings: All that decides the numbers.
        checkpoint_every: Steps between two states.
        observer: Called after every step.
        resume: Go on from the state.

    Raises:
        InputError: Weights, pictures or state can't be used.
    """
    settings = settings or CompressSettings()
    given = read_weights(weights, settings.network)
    names = [name for name in GEOMETRIES[settings.network].names if name <= _DEEPEST]
    state, dtype = state_of(output), resolve_precision("auto")
    pictures = Pictures(photos), Pictures(paintings)
    facts = {
        "settings": dataclasses.asdict(settings),
        "weights": sha256(weights),
        "photographs": hash_names(names_below(photos)),
        "paintings": hash_names(names_below(paintings)),
        "dtype": dtype,
        "backend": keras.backend.backend(),
    }
    identity = RunIdentity(facts, other="another compression")
    if resume:
        progress = resumed(state, identity)
    else:
        progress = _closed_form(given, names, settings, *pictures, dtype=dtype)
    training = Finetuning(
        settings,
        progress,
        exact_numbers(given, names),
        *pictures,
        identity=identity,
        dtype=dtype,
    )
    numbers = training(state, every=checkpoint_every, observer=observer)
    card = {
        "network": settings.network,
        "made by": f"nst-tf {__version__}, nst compress",
        "credit": CREDIT.format(network=settings.network.upper()),
        "settings": facts["settings"],
        "licence": "CC BY 4.0",
        "weights sha256": facts["weights"],
        "first_kernel": hash_kernel(given[names[0]][0]),
        "steps": training.done,
        "pictures": {"photographs": len(photos), "paintings": len(paintings)},
        **training.figures,
    }
    with replacing(output) as part:
        write_lite(part, LiteWeights(factors_of(numbers), card))
    finished = training.done == settings.steps
    if finished:
        state.unlink(missing_ok=True)
    broken = [why for each in pictures for why in each.broken.values()]
    return Compressed(output, training.done, finished, card, broken)


def state_of(output: Path) -> Path:
    """Return where the state of an unfinished training lies."""
    return output.with_suffix(".state.npz")


def _closed_form(
    weights: Weights,
    names: Sequence[str],
    settings: CompressSettings,
    photos: Pictures,
    paintings: Pictures,
    *,
    dtype: str,
) -> Progress:
    """Choose the ranks and fit every layer."""
    draw = np.random.default_rng((settings.seed, 0))
    crops = np.stack(
        [variety(draw, photos, paintings, settings.crop) for _ in range(settings.crops)]
    )
    found = energies(weights, names, crops, dtype=dtype)
    ranks = choose_ranks(
        {name: found[name] for name in names[1:]},
        numbers=settings.numbers,
        network=settings.network,
    )
    styles = np.stack(
        [paintings.crop(draw, settings.crop, least=0.6) for _ in range(8)]
    )
    made = compress(
        weights,
        ranks,
        crops,
        importance=importance(weights, names, crops, styles, dtype=dtype),
        seed=settings.seed,
        dtype=dtype,
    )
    figures: Mapping[str, Any] = {
        "ranks": ranks,
        "feature errors of the closed form": made.errors,
    }
    return begin(numbers_of(made.layers), made.errors, figures)
