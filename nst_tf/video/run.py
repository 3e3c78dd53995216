"""A film painted from end to end: decoded, painted and encoded side by side."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from nst_tf.files import replacing
from nst_tf.running.checkpoint import open_npz
from nst_tf.running.identity import RunIdentity
from nst_tf.settings.checks import InputError
from nst_tf.video.encode import PART
from nst_tf.video.film import Film, Frame, Source
from nst_tf.video.output import Output, Part
from nst_tf.video.pipeline import Behind, ahead

Arrays = Mapping[str, np.ndarray]


class Painter(Protocol):
    """Paints the frames of a film, one after the other."""

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        """Return the picture of the next frame.

        Args:
            pixels: float32 `[H, W, 3]`, RGB 0..1.
            seconds: When it is shown.

        Returns:
            The same shape and range.
        """

    def state(self) -> Arrays:
        """Return all that the next picture depends on besides its frame."""

    def restore(self, state: Arrays) -> None:
        """Go on from what `state` returned."""


class Painted(NamedTuple):
    """How a run ended.

    Attributes:
        frames: Frames painted, those of a resumed run before it too.
        seconds: Of the film, that they last.
        took: Time of this run, in seconds.
        reason: `"finished"`, or `"stopped"` by the observer.
    """

    frames: int
    seconds: float
    took: float
    reason: Literal["finished", "stopped"]


Observer = Callable[[int], bool | None]
"""Called after every frame with how many are painted; returning True ends the run."""


def parts_folder(output: Path) -> Path:
    """Return where the parts of an unfinished film lie."""
    return output.with_name(f"{output.name.replace('%', '')}.parts")


def paint_film(
    source: Source,
    painter: Painter,
    output: Output,
    *,
    observer: Observer | None = None,
    identity: Mapping[str, Any] | None = None,
    resume: bool = False,
    part: int = PART,
    partial: bool = True,
) -> Painted:
    """Paint a film and write it.

    Parts that are done lie beside the output until it is; with `resume` a run goes on
    after the last, and makes the frames of an unbroken one.

    Args:
        source: Where frames come from.
        painter: Paints them.
        output: Where pictures go.
        observer: Told of every frame.
        identity: JSON-ready facts that decide what is painted; a run is not resumed
            with others.
        resume: Go on from the parts that are there.
        part: Frames of a part.
        partial: Whether a run that is stopped writes what was painted.

    Returns:
        How it ended.

    Raises:
        InputError: The source can't be read, or the output not written.
    """
    folder = parts_folder(output.path)
    store = _Store(folder, RunIdentity(identity or {}))
    done = store.load(painter) if resume else store.clear()
    started, film = time.monotonic(), source.film
    making = _Making(output, store, done, part)
    count, last = done, store.last
    reason: Literal["finished", "stopped"] = "finished"
    try:
        with ahead(source.frames(done)) as frames, Behind(making) as encoder:
            for frame in frames:
                seconds = film.seconds(frame.pts)
                picture = painter(frame.pixels, seconds)
                count, last = count + 1, frame.pts + frame.duration
                state = painter.state() if count % part == 0 else None
                encoder.put((frame._replace(pixels=picture), state))
                if observer is not None and observer(count):
                    reason = "stopped"
                    break
        if count == 0:
            raise InputError(f"{film.path} has no frames that can be decoded")
        files = making.finish()
        if partial or reason == "finished":
            output.finish(files)
    except BaseException:
        store.leave()
        raise
    if reason == "finished":
        shutil.rmtree(folder, ignore_errors=True)
    else:
        store.drop_rest()
    took = time.monotonic() - started
    return Painted(count, film.seconds(last), took, reason)


class _Making:
    """Encodes frames as they come, and saves every part that is full."""

    def __init__(self, output: Output, store: "_Store", done: int, size: int) -> None:
        self.output, self.store, self.size = output, store, size
        self.count = done
        self.part: Part | None = None

    def __call__(self, item: tuple[Frame, Arrays | None]) -> None:
        frame, state = item
        if self.part is None:
            self.part = self.output.part(self.count)
        self.part.add(frame)
        self.count += 1
        if state is not None:
            end = frame.pts + frame.duration
            self.part.save(self.store.part(self.count // self.size - 1))
            self.part = None
            self.store.save(self.count, end, state)

    def finish(self) -> list[Path]:
        """Save what is begun; return the files of all parts."""
        files = [self.store.part(k) for k in range(self.count // self.size)]
        if self.part is not None:
            self.part.save(self.store.rest)
            files.append(self.store.rest)
        return files


class _Store:
    """The parts of a run and the state after the last, in a folder."""

    def __init__(self, folder: Path, identity: RunIdentity) -> None:
        self.folder, self.identity = folder, identity
        self.state, self.rest = folder / "state.npz", folder / "rest.npz"
        self.last = 0

    def part(self, index: int) -> Path:
        """Return the file of a part."""
        return self.folder / f"{index:06}.npz"

    def clear(self) -> int:
        """Begin anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"can't make {self.folder}: {error}") from error
        return 0

    def load(self, painter: Painter) -> int:
        """Set a painter to the last state; return how many frames are painted."""
        with open_npz(self.state, "holds no run to go on with") as values:
            arrays = {name: values[name] for name in values.files}
            facts = json.loads(str(arrays.pop("facts")))
        self.identity.check(facts["identity"], self.folder)
        painter.restore(arrays)
        self.last = int(facts["last"])
        return int(facts["frames"])

    def save(self, frames: int, last: int, state: Arrays) -> None:
        """Write the state after so many frames."""
        facts = {"frames": frames, "last": last, "identity": self.identity.facts}
        with replacing(self.state) as part, part.open("wb") as file:
            arrays: dict[str, Any] = {**state, "facts": np.asarray(json.dumps(facts))}
            np.savez(file, **arrays)

    def drop_rest(self) -> None:
        """Forget the part that was not full; without a full one, the folder."""
        self.rest.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Remove the folder if there is nothing to go on from."""
        if not self.state.exists():
            shutil.rmtree(self.folder, ignore_errors=True)


def describe(film: Film) -> str:
    """Return a line on a film."""
    return (
        f"{film.width}x{film.height}, {film.frames} frames, {float(film.rate):.4g} fps"
    )
