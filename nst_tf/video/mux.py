"""A film from its parts, with what else there was in the file: sound, subtitles.

Packets of sound and subtitles go into the new file as they are, if its container can
hold them. Sound that it can't hold is encoded anew, and that is said.
"""

import contextlib
import io
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.files import replacing
from nst_tf.imaging.animation import ANIMATIONS
from nst_tf.settings.checks import InputError
from nst_tf.video.codecs import SUFFIXES, Encoding, default_sound
from nst_tf.video.decode import film_stream
from nst_tf.video.encode import Packets, configure, decoding_times
from nst_tf.video.film import Film
from nst_tf.video.needs import damaged, worded
from nst_tf.video.pictures import is_sequence

Say = Callable[[str], None]
_WARM = 0.05
"""Seconds of sound before a film begins that its decoder needs."""


def mux(
    path: Path,
    parts: Sequence[Path],
    film: Film,
    encoding: Encoding,
    *,
    copied: bool = True,
    mute: bool = False,
    shift: Fraction | None = None,
    end: float | None = None,
    say: Say = print,
) -> None:
    """Write a film whole or not at all.

    Args:
        path: Where to.
        parts: Files of `Packets`, in order.
        film: What was painted; sound, subtitles, chapters and metadata are its.
        encoding: How the parts were encoded.
        copied: Whether to take over sound, subtitles, chapters and metadata.
        mute: Leave out sound and subtitles all the same.
        shift: Time in seconds that becomes 0; None leaves all times as they are.
        end: Seconds of the file from which on nothing is taken over.
        say: Told what could not be copied.

    Raises:
        InputError: It can't be written.
    """
    import av

    moved = 0 if shift is None else round(shift / film.time_base)
    # A film of hours has some 100,000 pictures: their times are no weight.
    times = [Packets.load(part).pts for part in parts]
    decode = decoding_times(np.concatenate(times)) - moved
    kind = SUFFIXES[path.suffix.lower()]
    options = {"movflags": "faststart"} if kind in ("mp4", "mov") else {}
    with replacing(path) as hidden, worded("can't write", path):
        target: Any = av.open(str(hidden), "w", format=kind, container_options=options)
        with target, contextlib.ExitStack() as open_source:
            pictures = target.add_stream(encoding.encoder, rate=film.rate)
            configure(pictures.codec_context, film, encoding)
            if kind in ("mp4", "mov") and encoding.encoder == "libx265":
                pictures.codec_context.codec_tag = "hvc1"  # Apple's players want it.
            pictures.time_base = film.time_base
            others: _Others | None = None
            if copied:
                source: Any = open_source.enter_context(
                    av.open(str(film.path), "r", metadata_errors="replace")
                )
                if not mute:
                    others = _Others(source, target, path, shift, end, say)
                for name in _left_out(source, film):
                    say(f"{film.path}: left out {name}")
                target.metadata.update(_kept(source.metadata))
                _copy_chapters(source, target, shift, end)
            target.start_encoding()
            ready = _pictures(parts, decode, moved, film, pictures)
            waiting = next(ready, None)
            if others is not None:
                for packet, seconds in others.packets():
                    while waiting is not None and waiting[1] <= seconds:
                        target.mux(waiting[0])
                        waiting = next(ready, None)
                    try:
                        target.mux(packet)
                    except damaged():
                        others.lost += 1
                if others.lost:
                    say(f"{film.path}: left out {others.lost} damaged packets of sound")
            while waiting is not None:
                target.mux(waiting[0])
                waiting = next(ready, None)
        _check_whole(hidden, len(decode), path)


def _check_whole(written: Path, pictures: int, path: Path) -> None:
    """Make sure that all is in a file: FFmpeg keeps quiet about a full disk."""
    import av

    with av.open(str(written), "r") as file:
        found = sum(packet.size > 0 for packet in file.demux(file.streams.video[0]))
    if found != pictures:
        raise InputError(
            f"can't write {path}: {found} of {pictures} frames arrived in the file; is"
            " the disk full?"
        )


def _pictures(
    parts: Sequence[Path],
    decode: np.ndarray,
    moved: int,
    film: Film,
    stream: Any,
) -> Iterator[tuple[Any, float]]:
    """Yield the packets of the pictures, and when each is decoded, in seconds."""
    import av

    index = 0
    for part in parts:
        packets = Packets.load(part)
        for at, payload in enumerate(packets.payloads()):
            packet: Any = av.Packet(payload)
            packet.pts = int(packets.pts[at]) - moved
            packet.dts = int(decode[index])
            packet.duration = int(packets.durations[at])
            packet.time_base = film.time_base
            packet.is_keyframe = bool(packets.keys[at])
            packet.stream = stream
            yield packet, film.seconds(packet.dts)
            index += 1


class _Others:
    """Sound, subtitles and attachments on their way into another file."""

    def __init__(
        self,
        source: Any,
        target: Any,
        path: Path,
        shift: Fraction | None,
        end: float | None,
        say: Say,
    ) -> None:
        self.source, self.path, self.say = source, path, say
        self.shift, self.end = shift, end
        self.target = target
        self.copied: dict[int, Any] = {}
        self.encoded: dict[int, Any] = {}
        self.lost = 0
        for stream in source.streams:
            if stream.type in ("audio", "subtitle", "attachment"):
                self._add(stream)

    def _add(self, stream: Any) -> None:
        name = stream.codec_context.name if stream.codec_context else stream.type
        if _can_hold(self.path, stream):
            made = self.target.add_stream_from_template(stream)
            self.copied[stream.index] = made
        elif stream.type == "audio":
            encoder, rate = default_sound(self.path, stream.rate)
            made = self.target.add_stream(encoder, rate=rate)
            made.layout = "mono" if stream.channels == 1 else "stereo"
            self.encoded[stream.index] = made
            self.say(
                f"{self.path.suffix} can't hold sound in {name}: encoded anew with"
                f" {encoder}"
            )
        else:
            self.say(
                f"{self.path.suffix} can't hold the {stream.type} {name}: left out"
            )
            return
        made.metadata.update(_kept(stream.metadata))
        made.disposition = stream.disposition

    def packets(self) -> Iterator[tuple[Any, float]]:
        """Yield packets for the new file, and when each is decoded, in seconds."""
        wanted = [
            x for x in self.source.streams if x.index in {**self.copied, **self.encoded}
        ]
        if not wanted:
            return
        shift = self.shift or Fraction(0)
        last: dict[int, int] = {}
        edits = SUFFIXES[self.path.suffix.lower()] in ("mp4", "mov")
        for packet in self.source.demux(wanted):
            index, base = packet.stream.index, packet.time_base
            if packet.size and packet.pts is not None:
                if packet.stream.type == "subtitle":
                    _trim(packet, self.shift, self.end)
                time = packet.pts * base
                if self.shift is not None and time < shift:
                    continue
                if self.end is not None and time >= self.end:
                    continue
                # What an edit list leaves out others than MP4 would play.
                needed = edits or index in self.encoded or -_WARM <= time < 0
                if packet.is_discard and not needed:
                    continue
            if index in self.encoded:
                yield from self._encoded(packet, shift)
            elif packet.size:
                made = packet.stream = self.copied[index]
                timed = packet.pts is not None
                if shift and timed:
                    packet.pts -= round(shift / base)
                    packet.dts = packet.pts
                if made.type == "audio" and timed and packet.dts is not None:
                    # Where some of a transport stream is lost, FFmpeg guesses times.
                    least = last.get(index, packet.dts)
                    packet.dts = max(packet.dts, least)
                    packet.pts = max(packet.pts, least)
                    last[index] = packet.dts + math.ceil(made.time_base / base)
                yield packet, float((packet.dts or packet.pts or 0) * base)

    def _encoded(self, packet: Any, shift: Fraction) -> Iterator[tuple[Any, float]]:
        made, frames = self.encoded[packet.stream.index], []
        try:
            frames = packet.decode()
        except damaged():
            self.lost += 1
        for frame in frames:
            if shift and frame.pts is not None:
                frame.pts -= round(shift / frame.time_base)
            for found in made.encode(frame):
                yield found, float((found.dts or 0) * found.time_base)
        if not packet.size:
            for found in made.encode(None):
                yield found, float((found.dts or 0) * found.time_base)


def _can_hold(path: Path, stream: Any) -> bool:
    """Tell whether a stream can be copied into the container that `path` names.

    FFmpeg's list of what a container holds has some that it then won't write, so that
    it is tried in memory: with the first packet of sound.
    """
    import av
    import av.error

    if stream.type == "attachment":
        return path.suffix.lower() == ".mkv"
    kind = SUFFIXES[path.suffix.lower()]
    name = stream.container.name
    with av.open(name, "r", metadata_errors="replace") as source:
        again: Any = source.streams[stream.index]
        try:
            with av.open(io.BytesIO(), "w", format=kind) as trial:
                made = trial.add_stream_from_template(again)
                trial.start_encoding()
                if again.type == "audio":
                    for packet in itertools.islice(source.demux(again), 1):
                        packet.stream = made
                        trial.mux(packet)
        except (av.error.FFmpegError, ValueError):
            return False
    return True


def _left_out(source: Any, film: Film) -> Iterator[str]:
    """Name the streams of a film that never have a place in another."""
    from av.stream import Disposition

    painted = film_stream(source, film.path)
    for stream in source.streams:
        if stream.type == "video" and stream != painted:
            if stream.disposition & Disposition.attached_pic:
                yield "the cover"
            elif stream.frames != 1:  # That of an animated AVIF is its first picture.
                yield "further pictures"
        # Chapters of an MP4 are such a stream, and are taken over.
        elif stream.type == "data" and not (stream.name and source.chapters()):
            yield "timecode" if "timecode" in stream.metadata else "data"


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    """Return what is still true of the new file."""
    lost = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration")
    return {k: v for k, v in metadata.items() if k.lower() not in lost}


def _trim(packet: Any, shift: Fraction | None, end: float | None) -> None:
    """Let a subtitle that reaches into a part of a film be shown in that alone."""
    base, start = packet.time_base, packet.pts
    stop = start + packet.duration
    if shift is not None:
        start = max(start, math.ceil(shift / base))
    if end is not None:
        stop = min(stop, round(end / base))
    if start < stop:
        packet.pts = packet.dts = start
        packet.duration = stop - start


def _copy_chapters(
    source: Any, target: Any, shift: Fraction | None, end: float | None
) -> None:
    chapters = source.chapters()
    if not chapters:
        return
    for chapter in chapters:
        moved = round((shift or 0) / chapter["time_base"])
        if end is not None:
            chapter["end"] = min(chapter["end"], round(end / chapter["time_base"]))
        chapter["start"] = max(0, chapter["start"] - moved)
        chapter["end"] = max(0, chapter["end"] - moved)
    target.set_chapters([x for x in chapters if x["end"] > x["start"]])


def check_sound(path: Path, film: Film) -> None:
    """Refuse an output that holds no sound for a film that has some."""
    silent = path.suffix.lower() in ANIMATIONS or is_sequence(path)
    if film.sound and silent:
        raise InputError(
            f"{path} can't hold the sound of {film.path}; add --mute to leave it out,"
            f" or choose one of {', '.join(SUFFIXES)}"
        )
