"""Flicker of painted clips: exact synthetic motion, still scenes with noise, films.

Compares frames painted alone with running statistics, and with --stabilize, in one run.
Style and content errors stand beside, so that blur can't win.
"""

import argparse
import itertools
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from nst_export.runtime import Stylizer, bundled, mix_weights
from nst_export.runtime.clip import ClipStylizer
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import resize_to
from nst_tf.video.coherence import MotionOf, clip_error, deviation
from nst_tf.video.decode import FilmSource
from nst_tf.video.flow import find_motion
from nst_tf.video.run import Painter
from nst_tf.video.stabilize import Stabilized
from nst_tf.video.synthetic import Clip, Layer, camera

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT, STEP = 320, 180, 1 / 24
Frames = list[np.ndarray]


def main() -> None:
    """Measure every clip in every style; print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = Path(os.environ.get("NST_SHARED", "../shared"))
    parser.add_argument("--photos", type=Path, default=shared / "photos/test")
    parser.add_argument("--paintings", type=Path, default=shared / "styles")
    parser.add_argument("--model", type=Path, help="else the bundled gallery")
    parser.add_argument("--styles", default="the_scream,udnie")
    parser.add_argument("--films", type=Path, nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--losses", action="store_true", help="style and content too")
    given = parser.parse_args()
    stylizer = Stylizer.load(given.model or bundled())
    photos = [load_image(file).pixels for file in sorted(given.photos.glob("*.png"))]
    clips = {**synthetic(photos, given.frames), **films(given.films, given.frames)}
    noisy = still(photos[0], given.frames)
    for style in given.styles.split(","):
        weights = mix_weights(stylizer.styles, {style: 1.0})
        ways: dict[str, Callable[[], Painter]] = {
            "alone": lambda w=weights: ClipStylizer(stylizer, w, memory=0.0),
            "statistics": lambda w=weights: ClipStylizer(stylizer, w),
        }
        print(f"\n{style}: warping error of neighbours (and at 10 frames), over alone")
        for name, (frames, motion) in clips.items():
            painted = {way: paint(make(), frames) for way, make in ways.items()}
            painted["stabilize"] = paint(
                Stabilized(_Made(painted["statistics"])), frames
            )
            told = [f"input {clip_error(frames, motion):.4f}"]
            base = {
                gap: clip_error(painted["alone"], motion, gap=gap) for gap in (1, 10)
            }
            told.append(f"alone {base[1]:.4f}, {base[10]:.4f}")
            for way in ("statistics", "stabilize"):
                ratio = [
                    clip_error(painted[way], motion, gap=gap) / base[gap]
                    for gap in (1, 10)
                ]
                told.append(f"{way} {ratio[0]:.2f} ({ratio[1]:.2f})")
            if given.losses:
                told.append(losses(painted, frames, style, given.paintings))
            print(f"  {name:12} {'; '.join(told)}", flush=True)
        shaken = {way: paint(make(), noisy) for way, make in ways.items()}
        shaken["stabilize"] = paint(Stabilized(_Made(shaken["statistics"])), noisy)
        given_noise = deviation(noisy)
        told = [f"{k} {deviation(v[8:]) / given_noise:.2f}" for k, v in shaken.items()]
        print(f"  still, noise of 2/255: deviation over the input's: {', '.join(told)}")


class _Made:
    """A painter whose pictures are made already."""

    def __init__(self, pictures: Frames) -> None:
        self.pictures = iter(pictures)

    def __call__(self, pixels: np.ndarray, seconds: float) -> np.ndarray:
        return next(self.pictures)

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        del state


def paint(painter: Painter, frames: Frames) -> Frames:
    """Return the pictures of a clip."""
    return [painter(frame, STEP * index) for index, frame in enumerate(frames)]


def synthetic(photos: Frames, count: int) -> dict[str, tuple[Frames, MotionOf]]:
    """Return ten clips of photographs, with their exact motion."""
    middle = (WIDTH / 2, HEIGHT / 2)
    y, x = np.mgrid[0:96, 0:96] - 47.5
    disc = (np.hypot(x, y) < 46).astype("float32")
    start = (160.0, 140.0)
    moves = {
        "pan": camera(start=start, shift=(2.3, 0.4)),
        "fast pan": camera(start=start, shift=(7.5, -1.0)),
        "zoom in": camera(start=start, zoom=0.985, center=middle),
        "zoom out": camera(start=start, zoom=1.012, center=middle),
        "turn": camera(start=start, turn=0.7, center=middle),
        "turn, pan": camera(start=start, turn=-0.4, shift=(1.5, 1.0), center=middle),
    }
    found = {}
    for index, (name, place) in enumerate(moves.items()):
        layers = [Layer(photo=photos[index % len(photos)], place=place)]
        found[name] = Clip(WIDTH, HEIGHT, count, layers)
    for index, (name, shift) in enumerate(
        (("thing", (0.0, 0.0)), ("thing, pan", (1.2, 0.0))), 6
    ):
        place = camera(start=start, shift=shift)
        back = Layer(photo=photos[index % len(photos)], place=place)
        front = Layer(
            photo=photos[(index + 2) % len(photos)][200:296, 300:396],
            place=camera(start=(-60, -40), shift=(-4.0, -0.5)),
            shape=disc,
        )
        found[name] = Clip(WIDTH, HEIGHT, count, [back, front])
    for index, (name, amount) in enumerate((("exposure", 0.05), ("flash", 0.2)), 8):
        layers = [Layer(photo=photos[index % len(photos)], place=moves["pan"])]
        found[name] = Clip(
            WIDTH,
            HEIGHT,
            count,
            layers,
            gain=lambda time, a=amount: 1 - a + a * float(np.cos(time / 2)),
        )
    return {
        name: ([clip.frame(k) for k in range(count)], clip.motion)
        for name, clip in found.items()
    }


def films(paths: list[Path], count: int) -> dict[str, tuple[Frames, MotionOf]]:
    """Return the first frames of films, with the motion that optical flow finds."""
    found: dict[str, tuple[Frames, MotionOf]] = {}
    for path in paths:
        source = FilmSource(path, size=640)
        frames = [x.pixels for x in itertools.islice(source.frames(), count)]

        def motion(before: int, after: int, frames: Frames = frames) -> object:
            return find_motion(frames[before], frames[after])

        found[path.stem] = (frames, motion)  # type: ignore[assignment]
    return found


def still(photo: np.ndarray, count: int) -> Frames:
    """Return a still scene with noise of 2/255."""
    rng = np.random.default_rng(0)
    part = photo[100 : 100 + HEIGHT, 100 : 100 + WIDTH]
    return [
        np.clip(part + 2 / 255 * rng.standard_normal(part.shape), 0, 1).astype(
            "float32"
        )
        for _ in range(count)
    ]


def losses(
    painted: dict[str, Frames], frames: Frames, style: str, paintings: Path
) -> str:
    """Return style and content errors over those of frames painted alone."""
    import dataclasses

    from nst_tf import OptimizeSettings, measure_losses
    from nst_tf.settings.codec import from_dict

    recipe = tomllib.loads((ROOT / "training/recipes/gallery.toml").read_text())
    entry = next(x for x in recipe["styles"] if x["name"] == style)
    painting = resize_to(load_image(paintings / Path(entry["image"]).name).pixels, 384)
    loss = from_dict({"loss": recipe.get("loss", {})}).loss
    loss = dataclasses.replace(loss, strength=None)
    settings = OptimizeSettings(size=frames[0].shape[1], scales=1, loss=loss)
    index = len(frames) - 1
    found = measure_losses(
        [pictures[index] for pictures in painted.values()],
        frames[index],
        painting,
        settings,
    )
    told = []
    for way, parts in zip(painted, found, strict=True):
        if way != "alone":
            ratios = [
                getattr(parts, n) / getattr(found[0], n) for n in ("style", "content")
            ]
            told.append(f"{way} style {ratios[0]:.2f}, content {ratios[1]:.2f}")
    return "; ".join(told)


if __name__ == "__main__":
    main()
