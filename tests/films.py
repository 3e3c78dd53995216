"""Tiny films that tests make, and what is in a film."""

import subprocess
from fractions import Fraction

import av
import numpy as np

from nst_tf.imaging.write import to_bytes
from tests.helpers import scene

BASE = Fraction(1, 12800)
TICK = 512
"""A frame at 25 a second."""


def moving(count, width=64, height=48):
    """Return a scene that moves two pixels a frame, float32 `[H, W, 3]` each."""
    wide = scene(height, width + 2 * count)
    return [wide[:, 2 * k : 2 * k + width] for k in range(count)]


def tone(samples, rate=44100):
    """Return mono sound, float32 `[1, N]`."""
    time = np.arange(samples) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * time))[None].astype("float32")


def write_film(
    path,
    frames=None,
    *,
    times=None,
    codec="libx264",
    pixel_format="yuv420p",
    sound=None,
    rotation=0,
    mirrored=False,
    shape=None,
    tags=None,
    subtitles=(),
    chapters=(),
    options=None,
    container=None,
):
    """Write a film of float32 frames; return its path.

    Args:
        path: By its ending.
        frames: Else ten of a moving scene.
        times: In units of `BASE`, else 25 frames a second.
        codec: FFmpeg's name.
        pixel_format: FFmpeg's name.
        sound: FFmpeg's name of a codec for a tone as long as the film.
        rotation: Degrees by which a player turns the frames.
        mirrored: Whether it then exchanges left and right.
        shape: Width of a pixel over its height.
        tags: Matrix, range, primaries and transfer, in FFmpeg's numbers.
        subtitles: Pairs of a time in seconds and a text, in a Matroska file.
        chapters: Titles, of half a second each.
        options: Of the encoder.
        container: Options of the container.
    """
    frames = moving(10) if frames is None else frames
    times = times or [TICK * k for k in range(len(frames))]
    with av.open(str(path), "w", container_options=container or {}) as out:
        out.metadata["title"] = "A film"
        stream = out.add_stream(codec, rate=25, options=options or {})
        height, width = frames[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.time_base = BASE
        if shape is not None:
            stream.codec_context.sample_aspect_ratio = shape
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        matrix, full = 2, 1
        if tags is not None:
            context = stream.codec_context
            matrix, full, context.color_primaries, context.color_trc = tags
            context.colorspace, context.color_range = matrix, full
        voice = out.add_stream(sound, rate=44100, layout="mono") if sound else None
        words = out.add_mux_stream("subrip") if subtitles else None
        if chapters:
            out.set_chapters(
                [
                    {
                        "id": k,
                        "start": 500 * k,
                        "end": 500 * (k + 1),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": title},
                    }
                    for k, title in enumerate(chapters)
                ]
            )
        for pixels, pts in zip(frames, times, strict=True):
            picture = av.VideoFrame.from_ndarray(to_bytes(pixels), "rgb24")
            picture.color_range = 2
            picture = picture.reformat(
                format=pixel_format,
                dst_colorspace={2: None, 6: 5}.get(matrix, matrix),
                dst_color_range=full,
            )
            picture.pts, picture.time_base = pts, BASE
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
        if words is not None:
            for start, text in subtitles:
                packet = av.Packet(text.encode())
                packet.stream, packet.time_base = words, Fraction(1, 1000)
                packet.pts = packet.dts = round(1000 * start)
                packet.duration = 200
                out.mux(packet)
        if voice is not None:
            last = int(44100 * (times[-1] + TICK) * BASE)
            heard = tone(last)
            for start in range(0, last, 1024):
                piece = np.ascontiguousarray(heard[:, start : start + 1024])
                block = av.AudioFrame.from_ndarray(piece, "fltp", "mono")
                block.sample_rate, block.pts = 44100, start
                block.time_base = Fraction(1, 44100)
                out.mux(voice.encode(block))
            out.mux(voice.encode(None))
    return path


def read_film(path):
    """Return the times of all frames in seconds, and their pixels, uint8."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
        return (
            [float(frame.pts * frame.time_base) for frame in frames],
            [frame.to_ndarray(format="rgb24") for frame in frames],
        )


def packets(path, kind):
    """Return seconds and bytes of the packets of the first stream of a kind."""
    with av.open(str(path)) as file:
        stream = getattr(file.streams, kind)[0]
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in file.demux(stream)
            if packet.size
        ]


def damage(path, index):
    """Overwrite the picture of an index, in the order of decoding, with zeros."""
    data, (_, payload) = path.read_bytes(), packets(path, "video")[index]
    path.write_bytes(data.replace(payload, bytes(len(payload))))


def limited(command, size, **options):
    """Run a program that can't write files larger than `size` bytes: a full disk."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return subprocess.run(
        command, capture_output=True, text=True, preexec_fn=limit, **options
    )
