"""Films that FFmpeg reads, frame by frame."""

import contextlib
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nst_tf.settings.checks import InputError
from nst_tf.video.colors import colors_of, is_deep, to_pixels
from nst_tf.video.film import Film, Frame, check_film, reduced_size
from nst_tf.video.needs import damaged, worded

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

_LOST = 0.02
"""Share of a film that may be missing at its end before it is called cut off."""
_BACK = (0.0, 10.0, math.inf)
"""Seconds before the start at which reading is tried from: where a format has no index,
as transport streams, the next frame that stands by itself may come after the start."""
_STILL = ("avif", "heic", "heix", "mif1")
"""Kinds of MP4 that are pictures."""
_REPEATED = 0.25
"""Seconds by which the times of decoding must go back to be another film's."""
_TOLD = ("matroska", "mov", "avi", "flv", "asf")
"""Formats whose header says how long the film lasts; of others FFmpeg estimates it."""


class FilmSource:
    """The frames of a film file, upright, with their own times.

    What can't be decoded on the way is passed over, as players do.

    Args:
        path: The file.
        start: Seconds at which to begin.
        end: Seconds at which to end; None is the film's end.
        size: Long side in pixels to which larger frames are reduced.

    Attributes:
        lost: How many packets were damaged since frames were last asked for.

    Raises:
        InputError: No such file, no film, no frames, or one that is cut off.
    """

    def __init__(
        self,
        path: Path,
        *,
        start: float = 0.0,
        end: float | None = None,
        size: int | None = None,
    ) -> None:
        check_film(path)
        self.path, self.end = path, math.inf if end is None else end
        self.start, self.lost = start, 0
        with worded("can't read", path), _opened(path) as container:
            stream = film_stream(container, path)
            self.time_base = stream.time_base or Fraction(1, 90000)
            self.origin = _origin(container, self.time_base)
            sound = bool(container.streams.audio)
            subtitles = bool(container.streams.subtitles)
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            self.step = max(1, round(1 / (rate * self.time_base)))
            pixel = stream.sample_aspect_ratio or Fraction(1)
            first = next(self._frames_of(container, stream), None)
            if first is None:
                raise InputError(f"can't read {path}: none of it can be decoded")
        self.turns, self.mirrored = round(first.rotation / 90) % 4, _mirrored(first)
        self.colors, self.deep = colors_of(first), is_deep(first)
        width, height = first.width, first.height
        if self.turns % 2:
            width, height = height, width
            pixel = 1 / pixel if pixel else Fraction(1)
        if size is not None:
            width, height = reduced_size(width, height, size)
        self.film = Film(
            path=path,
            width=width,
            height=height,
            time_base=self.time_base,
            rate=rate,
            frames=self._count(),
            shape=pixel or Fraction(1),
            colors=self.colors,
            deep=self.deep,
            sound=sound,
            subtitles=subtitles,
        )

    def cut(self) -> dict[str, Any]:
        """Return what of the file's times is left out, for `FilmOutput`.

        Where the film begins later, the first frame is at 0; else all times stay.
        """
        begin = self.origin * self.time_base
        cut: dict[str, Any] = {"shift": None, "end": None}
        if self.start > 0:
            cut["shift"] = next(self.frames()).pts * self.time_base
        if self.end < math.inf:
            cut["end"] = float(begin) + self.end
        return cut

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Yield the frames from start to end, but for the first `skip`."""
        with worded("can't read on in", self.path), self._decoded() as decoded:
            last: int | None = None
            for frame in decoded:
                pts = self._time(frame, last)
                last = pts
                if self._before(pts):
                    continue
                if self._after(pts):
                    return
                if skip:
                    skip -= 1
                    continue
                yield Frame(self._pixels(frame), pts, frame.duration or self.step)

    @contextlib.contextmanager
    def _decoded(self) -> Iterator[Iterator["av.VideoFrame"]]:
        """Give all frames from the start on, and some before it."""
        for back in _BACK:
            self.lost = 0
            with _opened(self.path) as container:
                stream = film_stream(container, self.path)
                stream.thread_type = "AUTO"
                frames = self._frames_of(container, stream)
                if self.start <= back:
                    yield frames
                    return
                target = self.origin + math.floor((self.start - back) / self.time_base)
                first = (
                    next(frames, None) if _sought(container, stream, target) else None
                )
                if first is not None and not self._late(first):
                    yield itertools.chain([first], frames)
                    return

    def _frames_of(
        self, container: "InputContainer", stream: Any
    ) -> Iterator["av.VideoFrame"]:
        """Yield the frames that can be decoded from where a container stands."""
        errors = damaged()
        for packet in container.demux(stream):
            lost = packet.is_corrupt
            try:
                yield from packet.decode()
            except errors:
                lost = True
            self.lost += lost

    def _late(self, frame: "av.VideoFrame") -> bool:
        """Tell whether frames from the start on may come before this one."""
        return frame.pts is None or (
            (frame.pts - self.origin) * self.time_base > self.start
        )

    def _time(self, frame: "av.VideoFrame", last: int | None) -> int:
        """Return when a frame is shown; one without a time follows the last."""
        after = self.origin if last is None else last + self.step
        pts = after if frame.pts is None else frame.pts
        return pts if last is None else max(pts, last + 1)

    def _before(self, pts: int) -> bool:
        return (pts - self.origin) * self.time_base < self.start - 1e-6

    def _after(self, pts: int) -> bool:
        return (pts - self.origin) * self.time_base >= self.end - 1e-6

    def _pixels(self, frame: "av.VideoFrame") -> np.ndarray:
        size = self.film.width, self.film.height
        stored = size[::-1] if self.turns % 2 else size
        pixels = to_pixels(frame, self.colors, deep=self.deep, size=stored)
        if self.mirrored:
            pixels = pixels[::-1]
        if self.turns or self.mirrored:
            pixels = np.ascontiguousarray(np.rot90(pixels, self.turns))
        return pixels

    def _count(self) -> int:
        """Read all packets once: how many frames there are, and whether all are."""
        count = total = 0
        last, seen = self.origin, 0.0
        corrupt: dict[int, bool] = {}
        decoded: dict[int, float] = {}
        with worded("can't read", self.path), _opened(self.path) as container:
            stream = film_stream(container, self.path)
            for packet in container.demux():
                if not packet.size:
                    continue
                index = packet.stream_index
                corrupt[index] = packet.is_corrupt
                if packet.dts is not None and packet.stream.type in ("video", "audio"):
                    time = float(packet.dts * packet.time_base)
                    if time < decoded.get(index, time) - _REPEATED:
                        raise InputError(
                            f"the times of {self.path} go back after"
                            f" {self._since(last):.1f} s, as where files were joined;"
                            f" ffmpeg -i {self.path} -map 0 -c copy NAME.mkv makes a"
                            " film with rising ones"
                        )
                    decoded[index] = time
                if packet.pts is not None:
                    seen = max(seen, float(packet.pts * packet.time_base))
                if index != stream.index:
                    continue
                pts = packet.pts
                if pts is None:
                    pts = self.origin + total * self.step
                total += 1
                last = max(last, pts)
                count += not (self._before(pts) or self._after(pts))
            lasts = _seconds(container)
            # An AVI counts times without a frame, too; the last frame is shown as long
            # as the others are.
            reached = (last - self.origin) / self.step * total / max(1, total - 1)
            lacks = max(total, reached) < stream.frames * (1 - _LOST)
        if any(corrupt.values()):  # The last packet of a stream.
            raise InputError(f"{self.path} is cut off or damaged")
        # Matroska counts from 0, wherever the film begins.
        seen = max(seen, float(last * self.time_base))
        if lacks or (lasts and seen + 1 < lasts * (1 - _LOST)):
            raise InputError(
                f"{self.path} is cut off: it says that it lasts {lasts:.1f} s, but ends"
                f" after {seen:.1f} s"
            )
        if total and not count:
            to = f" to {self.end:g} s" if self.end < math.inf else ""
            raise InputError(
                f"{self.path} has no frames from {self.start:g} s{to}; it ends at"
                f" {self._since(last):.1f} s"
            )
        return count

    def _since(self, pts: int) -> float:
        """Return seconds since the film's begin."""
        return float((pts - self.origin) * self.time_base)


def _opened(path: Path) -> "InputContainer":
    import av

    container = av.open(str(path), "r", metadata_errors="replace")
    kind = container.format.name
    if kind == "image2" or kind.endswith("_pipe"):
        container.close()
        raise _picture(path)
    return container


def film_stream(container: "InputContainer", path: Path) -> Any:
    """Return the stream of a film's pictures; the cover of an album is none.

    Raises:
        InputError: There is none, or one picture alone.
    """
    from av.stream import Disposition

    cover = Disposition.attached_pic
    films = [x for x in container.streams.video if not x.disposition & cover]
    if not films:
        raise InputError(f"{path} holds no video")
    # An animated AVIF has its first picture as a stream, too.
    film = next((x for x in films if x.frames != 1), films[0])
    if film.frames == 1 and container.metadata.get("major_brand") in _STILL:
        raise _picture(path)
    return film


def _picture(path: Path) -> InputError:
    return InputError(f"{path} is a picture; nst stylize paints pictures")


def _mirrored(frame: "av.VideoFrame") -> bool:
    """Tell whether a frame is shown upside down before it is turned by its angle."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), "int32").tolist()
    return bool(a * d < b * c)


def _sought(container: "InputContainer", stream: Any, target: int) -> bool:
    """Go to a place in a film; tell whether it could be done."""
    import av.error

    try:
        container.seek(target, stream=stream)
    except (av.error.FFmpegError, OSError):  # Bare streams have no places.
        return False
    return True


def _origin(container: "InputContainer", time_base: Fraction) -> int:
    """Return the film's time 0, in the time base of its pictures."""
    start = container.start_time
    return 0 if start is None else round(Fraction(start, 1_000_000) / time_base)


def _seconds(container: "InputContainer") -> float:
    """Return how long a film lasts by the word of its header, 0 if it has none."""
    if container.duration is None or not container.format.name.startswith(_TOLD):
        return 0.0
    return container.duration / 1e6
