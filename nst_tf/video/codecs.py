"""What films are encoded with, and what their containers can hold."""

import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from nst_tf.settings.checks import InputError
from nst_tf.video.film import Film


class Codec(NamedTuple):
    """A way to encode pictures.

    Attributes:
        encoders: FFmpeg's names, the first that the build has is used.
        crf: Quality by default, and the range that it may have: less is better.
        options: Of the encoder.
        deep: Whether a film of 10 bits stays one. Most players show H.264 and VP9 of 8
            bits alone.
        even: Whether sides must be even.
    """

    encoders: tuple[str, ...]
    crf: tuple[int, int, int] | None
    options: Mapping[str, str]
    deep: bool = False
    even: bool = False


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        # The next preset takes twice the time for a fifth less. Else x264's AVX-512
        # code, beside a busy thread, may make other packets of the same frames: a run
        # that was killed would not go on as it began.
        "h264": Codec(
            ("libx264",),
            (18, 0, 51),
            {"preset": "superfast", "x264-params": "cpu-independent=1"},
            even=True,
        ),
        "vp9": Codec(
            ("libvpx-vp9",),
            (28, 0, 63),
            {"b": "0", "row-mt": "1", "cpu-used": "4", "deadline": "good"},
        ),
        "av1": Codec(("libsvtav1",), (28, 0, 63), {"preset": "8"}, deep=True),
        "hevc": Codec(
            ("libx265",),
            (20, 0, 51),
            {"preset": "fast", "x265-params": "log-level=none"},
            deep=True,
            even=True,
        ),
        "ffv1": Codec(("ffv1",), None, {"level": "3"}, deep=True),
    }
)
"""Codecs by the names that `--codec` takes, in the order in which `auto` tries them."""
_AUTO = ("h264", "vp9", "av1")
SUFFIXES: Mapping[str, str] = MappingProxyType(
    {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
)
"""Endings of the films that are written, and FFmpeg's name of the container."""


class Encoding(NamedTuple):
    """How a film is encoded.

    Attributes:
        encoder: FFmpeg's name.
        options: Of the encoder.
        pixel_format: FFmpeg's name.
        deep: Whether values have 10 bits.
    """

    encoder: str
    options: dict[str, str]
    pixel_format: str
    deep: bool


def choose_encoding(
    path: Path, film: Film, *, codec: str = "auto", crf: int | None = None
) -> Encoding:
    """Return how a film is encoded into the container that `path` names.

    Args:
        path: The film to write.
        film: What is painted.
        codec: One of `CODECS`, or `auto`: the first of H.264, VP9 and AV1 that the
            build has and the container holds.
        crf: Quality; without it the codec's own.

    Raises:
        InputError: No such codec, or it doesn't fit the build, the container, the
            film's size or the quality.
    """
    held = _held(path)
    if codec == "auto":
        able = [x for x in _AUTO if _encoder(x) in held]
        if not able:
            raise InputError(f"this FFmpeg has no codec that {path.suffix} can hold")
        codec = able[0]
    elif codec not in CODECS:
        raise InputError(f"there is no codec {codec}; there are {', '.join(CODECS)}")
    chosen, encoder = CODECS[codec], _encoder(codec)
    if encoder is None:
        have = ", ".join(x for x in CODECS if _encoder(x))
        raise InputError(f"this FFmpeg can't encode {codec}; it can encode {have}")
    if encoder not in held:
        fit = ", ".join(x for x in CODECS if _encoder(x) in held)
        raise InputError(f"{path.suffix} can't hold {codec}; it holds {fit}")
    if chosen.even and (film.width % 2 or film.height % 2):
        free = [x for x in CODECS if not CODECS[x].even and _encoder(x) in held]
        instead = f"--codec {free[0]}" if free else "an output in .mp4 or .mkv"
        raise InputError(
            f"{codec} needs even sides, and {film.path} has {film.width}x{film.height}:"
            f" take {instead}, or another size by --size"
        )
    deep = film.deep and chosen.deep
    options = {**chosen.options, **_quality(codec, chosen, crf)}
    return Encoding(encoder, options, "yuv420p10le" if deep else "yuv420p", deep)


def default_sound(path: Path, rate: int) -> tuple[str, int]:
    """Return what encodes sound that the container can't hold as it is.

    Args:
        path: The film to write.
        rate: Of the sound, in samples a second.

    Returns:
        FFmpeg's name, and a rate that it takes: the next one above where there is one.
    """
    import av

    if path.suffix.lower() == ".webm":
        return "libopus", 48000
    rates = av.Codec("aac", "w").audio_rates or [rate]
    return "aac", min((x for x in rates if x >= rate), default=max(rates))


def _quality(name: str, codec: Codec, crf: int | None) -> dict[str, str]:
    if codec.crf is None:
        if crf is not None:
            raise InputError(f"{name} is lossless: it takes no crf")
        return {}
    usual, least, most = codec.crf
    value = usual if crf is None else crf
    if not least <= value <= most:
        raise InputError(f"crf of {name} must be in {least}..{most}, got {value}")
    return {"crf": str(value)}


def _encoder(codec: str) -> str | None:
    """Return the encoder of a codec that this FFmpeg has."""
    import av
    from av.codec.codec import UnknownCodecError

    for name in CODECS[codec].encoders:
        try:
            av.Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    return None


def _held(path: Path) -> set[str]:
    """Return the encoders whose pictures a container holds, by name."""
    import av

    kind = SUFFIXES[path.suffix.lower()]
    # In memory: nothing is written before the header.
    with av.open(io.BytesIO(), "w", format=kind) as probe:
        held: set[str] = set(probe.supported_codecs)
    # FFmpeg has them in its list, and writes them into .mp4 alone.
    return held - {"libvpx-vp9", "libsvtav1"} if kind == "mov" else held
