"""Flicker of painted clips: exact synthetic motion, films, a still scene with noise.

Compares frames painted alone with running statistics, and with --stabilize, in one run,
with the files that ship: what `nst evaluate --video` does of a trained model.
"""

import argparse
import functools
import json
import os
import tomllib
from pathlib import Path

import numpy as np

from nst_export.runtime import Stylizer, bundled, mix_weights
from nst_export.runtime.clip import ClipStylizer
from nst_tf.files import replacing
from nst_tf.imaging.read import load_image
from nst_tf.inspection.errors import ErrorMeter
from nst_tf.loss.choice import networks_of
from nst_tf.settings.loss import ExtractorSettings
from nst_tf.video.clips import film_clip, synthetic_clips
from nst_tf.video.measure import (
    ALONE,
    RUNNING,
    Judge,
    measure_clip,
    measure_stillness,
    summarize_clips,
)
from nst_tf.video.run import Painter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
AGAINST = "against"


def main() -> None:
    """Measure every clip in every style; print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = Path(os.environ.get("NST_SHARED", "../shared"))
    parser.add_argument("--photos", type=Path, default=shared / "photos/test")
    parser.add_argument("--paintings", type=Path, default=shared / "styles")
    parser.add_argument("--model", type=Path, help="else the bundled gallery")
    parser.add_argument("--against", type=Path, help="another, painting frames alone")
    parser.add_argument("--styles", default="the_scream,udnie")
    parser.add_argument("--films", type=Path, nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=320, help="long side of frames")
    parser.add_argument("--losses", action="store_true", help="style and content too")
    parser.add_argument("--json", type=Path, help="a card of all figures")
    given = parser.parse_args()
    model = Stylizer.load(given.model or bundled())
    other = Stylizer.load(given.against) if given.against else None
    photos = [load_image(file).pixels for file in sorted(given.photos.glob("*.png"))]
    clips = synthetic_clips(photos, count=given.frames, size=given.size)
    clips += [film_clip(x, count=given.frames, size=given.size) for x in given.films]
    scores, still = [], {}
    for style in given.styles.split(","):
        judge = judge_of(style, given.paintings) if given.losses else None
        base = ALONE if other is None else AGAINST
        for clip in clips:
            ways = painters(style, model, other)
            scores.append(measure_clip(clip, style, ways, judge, base=base))
            print(scores[-1].line(), flush=True)
        frame = photos[0][100 : 100 + given.size * 9 // 16, 100 : 100 + given.size]
        ways = painters(style, model, other)
        still[style] = measure_stillness(frame, ways, count=given.frames, step=1 / 24)
        told = [f"{name} {value:.2f}" for name, value in still[style].items()]
        print(f"{style}, still, deviation over the noise: {', '.join(told)}")
    card = {"styles": summarize_clips(scores), "still": still}
    print(json.dumps(card, indent=1))
    if given.json:
        card |= {"clips": [score.entry() for score in scores]}
        with replacing(given.json) as part:
            part.write_text(json.dumps(card, indent=1))


def painters(style: str, model: Stylizer, other: Stylizer | None) -> dict[str, Painter]:
    """Return new painters by the ways that are compared."""
    weights = mix_weights(model.styles, {style: 1.0})
    found: dict[str, Painter] = {
        ALONE: ClipStylizer(model, weights, memory=0.0),
        RUNNING: ClipStylizer(model, weights),
    }
    if other is not None:
        weights = mix_weights(other.styles, {style: 1.0})
        found[AGAINST] = ClipStylizer(other, weights, memory=0.0)
    return found


def judge_of(style: str, paintings: Path) -> Judge:
    """Return what measures content and style errors against a gallery's painting."""
    recipe = tomllib.loads((ROOT / "training/recipes/gallery.toml").read_text())
    entry = next(x for x in recipe["styles"] if x["name"] == style)
    painting = load_image(paintings / Path(entry["image"]).name).pixels
    meter = error_meter()

    def judge(picture: np.ndarray, frame: np.ndarray) -> tuple[float, float]:
        errors = meter(picture, frame, painting)
        return errors.content, errors.mean_style

    return judge


@functools.cache
def error_meter() -> ErrorMeter:
    """Return what measures pictures, with VGG-19 where it is at hand."""
    network = networks_of(ExtractorSettings())[-1]
    return ErrorMeter(ExtractorSettings(network=network))


if __name__ == "__main__":
    main()
