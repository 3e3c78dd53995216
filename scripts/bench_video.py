"""Benchmark of films: end to end over the network's own passes; memory by length."""

import argparse
import os
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from peak import peak_of

PLAIN = "film.mp4"


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="speed,memory")
    parser.add_argument("--sizes", default="1280x720,640x360")
    parser.add_argument("--frames", type=int, default=72)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--film", type=Path, help="a real one, reduced to each size")
    parser.add_argument("--lengths", default="100,2000", help="frames, for the memory")
    parser.add_argument("--flags", default="", help="more flags of nst video")
    given = parser.parse_args()
    print(f"{os.cpu_count()} CPUs")
    parts = given.parts.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "speed" in parts:
            for size in given.sizes.split(","):
                speed(folder, size, given)
        if "memory" in parts:
            memory(folder, [int(x) for x in given.lengths.split(",")])


def write(path: Path, width: int, height: int, count: int) -> None:
    """Write a film of a moving pattern."""
    import av

    rng = np.random.default_rng(0)
    small = rng.random((height // 8 + 8, width // 8 + count // 4 + 8, 3))
    wide = np.kron(small, np.ones((8, 8, 1))).astype("float32")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(count):
            part = wide[:height, 2 * index : 2 * index + width]
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(255 * part, "uint8"), "rgb24"
            )
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def speed(folder: Path, size: str, given: argparse.Namespace) -> None:
    """Compare a whole run, but for its start, with the network's passes alone."""
    from nst_export.runtime import Stylizer, bundled, mix_weights
    from nst_export.runtime.clip import ClipStylizer
    from nst_tf.video.decode import FilmSource
    from nst_tf.video.output import choose_output
    from nst_tf.video.run import paint_film
    from nst_tf.video.stabilize import Stabilized

    width, height = map(int, size.split("x"))
    if given.film is None:
        write(folder / PLAIN, width, height, given.frames)
    source = FilmSource(given.film or folder / PLAIN, size=width)
    film = source.film
    stylizer = Stylizer.load(bundled())
    weights = mix_weights(stylizer.styles, {stylizer.styles[0]: 1.0})
    clip = ClipStylizer(stylizer, weights)
    frame = next(source.frames()).pixels
    for _ in range(2):
        clip(frame, 0.0)
    session, style = clip.session, np.asarray([weights], "float32")
    assert session is not None
    statistics = np.zeros((1, 3, 1, session.channels), "float32")

    def passes(number: int) -> float:
        start = time.perf_counter()
        for _ in range(number):
            session(frame[None], style, statistics)
        return time.perf_counter() - start

    ratios = []
    for _ in range(given.rounds):
        # Half before and half after: the clock of a shared machine drifts.
        alone = passes(film.frames // 2)
        output = choose_output(folder / "out.mp4", film, copied=True)
        painter = Stabilized(clip) if "--stabilize" in given.flags.split() else clip
        ended = paint_film(source, painter, output)
        alone += passes(film.frames - film.frames // 2)
        ratios.append(ended.took / alone)
        print(
            f"{film.width}x{film.height}, {film.frames} frames: {ended.took:.1f} s end"
            f" to end, the network {alone:.1f} s; {ratios[-1]:.2f},"
            f" {film.frames / ended.took:.2f} frames a second",
            flush=True,
        )
    print(f"median {np.median(ratios):.2f} (<= 1.15)")


def memory(folder: Path, lengths: list[int]) -> None:
    """Measure the peak of whole processes by the length of the film."""
    peaks = []
    for count in lengths:
        write(folder / PLAIN, 64, 48, count)
        words = ["video", str(folder / PLAIN), "--style", "udnie", "--quiet"]
        program = [sys.executable, "-m", "nst_tf", *words]
        peaks.append(peak_of([*program, "-o", str(folder / "out.mp4")]))
        print(f"64x48, {count} frames: peak {peaks[-1]:.0f} MiB")
    print(f"last over first: {peaks[-1] / peaks[0]:.3f} (<= 1.05)")


if __name__ == "__main__":
    main()
