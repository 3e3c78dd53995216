"""Photographs to train on: a folder, a bucket or a tensorflow-datasets data set.

What a step sees is a function of the seed and of the step's number alone, so that a
run resumes anywhere, on any number of workers.
"""

import difflib
import functools
import hashlib
import itertools
import threading
import typing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nst_tf.imaging.crop import load_crop
from nst_tf.imaging.folder import Folder
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_training.augment import DRAWS, NOISE
from nst_training.bucket import Bucket
from nst_training.workers.share import ALL, Share

_SHUFFLE = 2048
"""Examples among which a stream that can only be read in order is shuffled."""
WEAKEST = 0.9
"""Largest share of the photograph in an example: at strength 0 nothing is asked."""
_HOPELESS = 100
"""Broken photographs in a row after which there is no point in going on."""


Photo = Path | bytes | Callable[[], bytes]
"""A photograph: its file, its bytes, or what fetches those."""


class Source(Protocol):
    """Photographs in a fixed, shuffled, endless order."""

    names: list[str]
    """What tells the photographs from others: their names, or the data set's."""
    passed_over: str
    """A line about what is there and can't be used, "" without any."""

    def open(self, seed: int, start: int) -> Iterator[tuple[str, Photo]]:
        """Yield name and photograph of number `start` and those after it."""


class TfdsStream:
    """A tensorflow-datasets data set with an `Image` feature called `image`.

    Args:
        name: `NAME` or `NAME:SPLIT`, as tensorflow-datasets writes both; the split is
            `train` when not given.
        data_dir: Where data sets are prepared; without it the library's own folder.

    Raises:
        InputError: No such data set, split or feature, or it can't be prepared.
    """

    passed_over = ""

    def __init__(self, name: str, *, data_dir: Path | None = None) -> None:
        try:
            import tensorflow_datasets as tfds
        except ImportError as error:
            raise InputError(
                "tfds: needs the package tensorflow-datasets; install nst-tf[tf]"
            ) from error
        self.name, _, split = name.partition(":")
        split = split or "train"
        self.names = [f"{self.name}:{split}"]
        builder = _prepared(self.name, data_dir)
        skip = {"image": tfds.decode.SkipDecoding()}
        try:
            self._data = builder.as_dataset(
                split=split, decoders=skip, shuffle_files=False
            )
        except ValueError as error:
            raise InputError(
                f"the TFDS data set {self.name} has no split {split}; it has"
                f" {', '.join(builder.info.splits)}"
            ) from error

    def open(self, seed: int, start: int) -> Iterator[tuple[str, bytes]]:
        """Yield the encoded pictures; those before `start` are read and left out.

        Raises:
            InputError: A file of the data set is missing or damaged.
        """
        import tensorflow as tf

        data = self._data.map(lambda example: example["image"]).enumerate()
        data = data.shuffle(_SHUFFLE, seed=seed, reshuffle_each_iteration=True)
        try:
            for index, image in data.repeat().skip(start).as_numpy_iterator():
                yield f"{self.name} example {index}", image
        except tf.errors.OpError as error:
            why = error.message.rpartition("}} ")[2].partition(" [Op:")[0]
            raise InputError(
                f"the TFDS data set {self.name} can't be read ({why}). Prepare it anew:"
                f" tfds build --overwrite {self.name}"
            ) from error


def _prepared(name: str, data_dir: Path | None) -> Any:
    """Return the builder of a data set that is at hand and has images."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir and str(data_dir))
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        near = difflib.get_close_matches(name, tfds.list_builders(), n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f"there is no TFDS data set {name}{hint}") from error
    try:
        builder.download_and_prepare()
    except Exception as error:  # Whatever a builder's own download code raises.
        raise InputError(
            f"the TFDS data set {name} is not prepared and can't be downloaded"
            f" ({error}). Prepare it where there is a network: tfds build {name}"
        ) from error
    features, encoded = builder.info.features, tfds.features.Image
    named = isinstance(features, tfds.features.FeaturesDict) and "image" in features
    image = features["image"] if named else None
    # TFDS keeps floats in the bytes of a PNG of four channels.
    if not isinstance(image, encoded) or np.dtype(image.np_dtype).kind != "u":
        found = f"; its image is {' '.join(str(image).split())}" if named else ""
        raise InputError(
            f"the TFDS data set {name} has no feature called image that holds a picture"
            f" of 8 or 16 bits{found}"
        )
    return builder


def open_source(
    photos: str, *, data_dir: Path | None = None, leave: Iterable[Path] = ()
) -> Source:
    """Return the photographs of `--photos`: a folder, a URL or `tfds:NAME[:SPLIT]`.

    Args:
        photos: As given.
        data_dir: As `TfdsStream` takes it.
        leave: As `Folder` takes it.
    """
    if photos.startswith("tfds:"):
        return TfdsStream(photos.removeprefix("tfds:"), data_dir=data_dir)
    if "://" in photos:
        return Bucket(photos)
    return Folder(Path(photos), leave=leave)


def hash_names(names: Iterable[str]) -> str:
    """Return the SHA-256 of what photographs are called, in hexadecimal."""
    text = "\0".join(names)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def check_usable(photos: Folder) -> None:
    """Look for one photograph that can be read, before much is done for the others.

    Raises:
        InputError: The first hundred are broken, or all of them.
    """
    broken: dict[str, str] = {}
    for file in photos.files[:_HOPELESS]:
        try:
            load_crop(file, MIN_SIDE, np.random.default_rng(0))
            return
        except InputError as error:
            broken[str(file)] = str(error)
    raise _hopeless(broken)


def _hopeless(broken: dict[str, str]) -> InputError:
    return InputError(
        f"none of {len(broken)} photographs can be used; for example:"
        f" {next(iter(broken.values()))}"
    )


class Batches:
    """Endless batches of crops and style weights.

    A broken photograph is noted, and another of its batch or of the next takes its
    place.

    Args:
        source: The photographs.
        size: Side of the crops in pixels.
        batch: Pictures a batch.
        styles: Number of styles besides style 0.
        seed: What order, crops and weights come from.
        mix: Fraction of examples that mix two styles; style 0 is never asked for.
        weaker: Fraction of examples painted at less than full strength.
        known: Styles at the start that are never asked for.
        share: Which part of every batch is made; the parts of all workers, one after
            the other, are the batch that one alone would make.
        threads: That decode.
    """

    def __init__(
        self,
        source: Source,
        *,
        size: int,
        batch: int,
        styles: int,
        seed: int = 0,
        mix: float = 0.25,
        weaker: float = 0.0,
        known: int = 0,
        share: Share = ALL,
        threads: int = 2,
    ) -> None:
        self.source, self.size, self.batch = source, size, batch
        self.styles, self.seed, self.mix = styles, seed, mix
        self.weaker, self.known = weaker, known
        self.slots = share.slots(batch)
        self.threads = threads
        self.broken: dict[str, str] = {}
        self.problem: InputError | None = None
        self._lock = threading.Lock()

    def open(self, start: int) -> Generator[dict[str, np.ndarray], None, None]:
        """Yield the batches from number `start`.

        Each has `image`, float32 `[B, size, size, 3]` RGB 0..1, `style`, float32
        `[B, N]` with N = styles + 1, and `draws`, float32 `[B, 18]`, uniform random
        numbers for `nst_training.augment`; B are the pictures of the share.

        Raises:
            InputError: A hundred photographs in a row were broken, or the source can't
                be read.
        """
        try:
            for number, crops in enumerate(self._crops(start), start):
                image = np.stack(crops).astype("float32") / 255.0
                yield {"image": image, **self.drawn(number)}
        except InputError as error:
            self.problem = error
            raise

    def drawn(self, number: int) -> dict[str, np.ndarray]:
        """Return `style` and `draws` of a batch by its number."""
        draw = np.random.default_rng((self.seed, 3, number))
        style = np.stack([self._weights(draw) for _ in range(self.batch)])
        draws = draw.random((self.batch, DRAWS), "float32")
        draws[:, NOISE] = draws[0, NOISE]  # One pattern for all of a batch.
        return {"style": self._mine(style), "draws": self._mine(draws)}

    def _mine(self, whole: np.ndarray) -> np.ndarray:
        """Return the rows of the share."""
        return whole[self.slots.start : self.slots.stop]

    def _crops(self, start: int) -> Iterator[list[np.ndarray]]:
        """Yield the crops of every batch's share; decode ahead in threads."""
        files = self.source.open(self.seed, start * self.batch)
        numbers = itertools.count(start)
        groups: deque[_Group] = deque()
        with ThreadPoolExecutor(self.threads) as pool:

            def group(ahead: int) -> _Group:
                while len(groups) <= max(ahead, 2):
                    number = next(numbers)
                    taken = enumerate(itertools.islice(files, self.batch))
                    works: list[Callable[[], np.ndarray | None]] = [
                        functools.partial(self._crop, name, file, number, slot)
                        for slot, (name, file) in taken
                    ]
                    groups.append(_Group(pool, works, self.slots))
                return groups[ahead]

            try:
                while True:
                    crops = group(0).crops(self.slots)
                    if any(crop is None for crop in crops):
                        spare = itertools.cycle(self._good(group))
                        whole = group(0).crops(range(self.batch))
                        whole = [next(spare) if c is None else c for c in whole]
                        crops = whole[self.slots.start : self.slots.stop]
                    yield typing.cast(list[np.ndarray], crops)
                    groups.popleft()
            finally:
                for left in groups:
                    left.cancel()

    def _good(self, group: Callable[[int], "_Group"]) -> list[np.ndarray]:
        """Return the good crops of the next batch that has any."""
        every = range(self.batch)
        for ahead in range(-(-_HOPELESS // self.batch)):
            good = [crop for crop in group(ahead).crops(every) if crop is not None]
            if good:
                return good
        raise _hopeless(self.broken)

    def _crop(
        self, name: str, file: Photo, number: int, slot: int
    ) -> np.ndarray | None:
        draw = np.random.default_rng((self.seed, 2, number, slot))
        try:
            read = file() if callable(file) else file
            return load_crop(read, self.size, draw, name=name)
        except InputError as error:
            with self._lock:
                self.broken.setdefault(name, str(error))
            return None

    def _weights(self, draw: np.random.Generator) -> np.ndarray:
        """Return one style, or two in a random proportion, at some strength."""
        kind, part, weak, share = draw.random(4)
        weights = np.zeros(self.styles + 1, "float32")
        asked = self.styles - self.known
        if kind < self.mix and asked > 1:
            first, second = 1 + self.known + draw.choice(asked, 2, replace=False)
            weights[first], weights[second] = part, 1.0 - part
        else:
            weights[1 + self.known + draw.integers(asked)] = 1.0
        if weak < self.weaker:
            weights *= 1.0 - WEAKEST * share
            weights[0] = WEAKEST * share
        return weights


class _Group:
    """The photographs of a batch: some decoded at once, the others when asked for."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        works: list[Callable[[], np.ndarray | None]],
        slots: Iterable[int],
    ) -> None:
        self.pool, self.works = pool, works
        self.futures: dict[int, Future[np.ndarray | None]] = {}
        self._begin(slots)

    def _begin(self, slots: Iterable[int]) -> None:
        for slot in slots:
            if slot not in self.futures:
                self.futures[slot] = self.pool.submit(self.works[slot])

    def crops(self, slots: Iterable[int]) -> list[np.ndarray | None]:
        """Return some crops, None for broken photographs."""
        self._begin(slots)
        return [self.futures[slot].result() for slot in slots]

    def cancel(self) -> None:
        """Give up what is not begun."""
        for future in self.futures.values():
            future.cancel()
