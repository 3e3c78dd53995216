"""Frames to packets: a part of a film, encoded by itself.

A film is encoded in parts, each with an encoder of its own, which begins with a key
frame. A run that was killed goes on after the last part that it wrote, and its film has
the packets of an unbroken run.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_tf.files import replacing
from nst_tf.running.checkpoint import open_npz
from nst_tf.video.codecs import Encoding
from nst_tf.video.colors import tag, to_frame
from nst_tf.video.film import Film, Frame
from nst_tf.video.needs import shared_processor, worded

PART = 64
"""Frames of a part: more between key frames would hardly make a smaller film."""


class Packets(NamedTuple):
    """Encoded pictures, in the order of decoding.

    Attributes:
        data: Bytes of all, one behind the other, uint8.
        sizes: Bytes of each.
        pts: When each is shown, in the film's time base.
        durations: How long, in the same.
        keys: Whether decoding can begin there.
    """

    data: np.ndarray
    sizes: np.ndarray
    pts: np.ndarray
    durations: np.ndarray
    keys: np.ndarray

    def save(self, path: Path) -> None:
        """Write a file that appears whole or not at all."""
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, **self._asdict())

    @classmethod
    def load(cls, path: Path) -> "Packets":
        """Read what `save` wrote."""
        with open_npz(path, "holds no part of a film") as values:
            return cls(**{name: values[name] for name in cls._fields})

    def payloads(self) -> list[bytes]:
        """Return the bytes of each packet."""
        stops = np.cumsum(self.sizes)
        return [
            self.data[stop - size : stop].tobytes()
            for size, stop in zip(self.sizes, stops, strict=True)
        ]


class PartEncoder:
    """Encodes the frames of one part.

    Args:
        film: What is painted: its size, times, colours.
        encoding: How.
    """

    def __init__(self, film: Film, encoding: Encoding) -> None:
        import av

        self.film, self.encoding = film, encoding
        with worded("can't encode", film.path):
            self.context: Any = av.CodecContext.create(encoding.encoder, "w")
            configure(self.context, film, encoding)
            with shared_processor():
                self.context.open()
        self.packets: list[Any] = []
        self.lengths: dict[int, int] = {}

    def add(self, frame: Frame) -> None:
        """Encode a frame."""
        film, encoding = self.film, self.encoding
        with worded("can't encode", film.path):
            picture = to_frame(
                frame.pixels, film.colors, encoding.pixel_format, deep=encoding.deep
            )
            picture.pts, picture.time_base = frame.pts, film.time_base
            self.lengths[frame.pts] = frame.duration
            self.packets += self.context.encode(picture)

    def finish(self) -> Packets:
        """Return all packets."""
        with worded("can't encode", self.film.path):
            packets = self.packets + self.context.encode(None)
        payloads = [bytes(packet) for packet in packets]
        pts = [int(packet.pts) for packet in packets]
        return Packets(
            np.frombuffer(b"".join(payloads), "uint8"),
            np.asarray([len(x) for x in payloads], "int64"),
            np.asarray(pts, "int64"),
            np.asarray([self.lengths[x] for x in pts], "int64"),
            np.asarray([packet.is_keyframe for packet in packets]),
        )


def configure(context: Any, film: Film, encoding: Encoding) -> None:
    """Tell an encoder, not yet open, what it will get and what to make of it."""
    from av.codec.context import Flags

    context.width, context.height = film.width, film.height
    context.pix_fmt = encoding.pixel_format
    context.time_base, context.framerate = film.time_base, film.rate
    context.sample_aspect_ratio = film.shape
    context.options = encoding.options
    context.thread_type = "FRAME"  # Slices, PyAV's choice, cost quality.
    # The header of all parts is the film's.
    context.flags |= Flags.global_header
    tag(context, film.colors)


def decoding_times(pts: np.ndarray) -> np.ndarray:
    """Return when to decode the pictures of a film, given in the order of decoding.

    The times of the pictures themselves, moved back by as many pictures as some picture
    waits for, so that none is shown before it is decoded.

    Args:
        pts: When each is shown, int64 `[N]`, all different.

    Returns:
        int64 `[N]`, rising, none above `pts`.
    """
    count = len(pts)
    order = np.sort(pts)
    rank = np.searchsorted(order, pts)
    wait = int(np.max(np.arange(count) - rank, initial=0))
    if not wait:
        return order
    gap = int(np.min(np.diff(order[: wait + 1])))
    before = order[0] - gap * np.arange(wait, 0, -1)
    return np.concatenate([before, order[: count - wait]])
