"""Content and style errors of saved pictures, as float32 VGG-19 sees the files.

    .venv/bin/python scripts/measure_errors.py --photos PHOTOS... --styles STYLES...
        --folder OUT [--paint] [--network lite] [--size 384] [--strength 0.5]
        [--json OUT.json]

A picture is OUT/PHOTO-STYLE.png. With --paint those that are missing are made first, by
`nst optimize`'s default recipe, all in one process: what is built and compiled for one
is used for the next. It needs Keras on TensorFlow or on JAX alone (KERAS_BACKEND=jax).

The content error is the squared difference to the photograph's features at
block4_conv2 over the photograph's squares; a layer's style error that of Gram matrices
over the painting's. The photograph is resized to the picture, the painting to its long
side.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from nst_tf import (
    ExtractorSettings,
    LossSettings,
    OptimizeSettings,
    load_image,
    optimize_image,
    save_image,
)
from nst_tf.imaging.resize import resize
from nst_tf.inspection.errors import STYLE_LAYERS, ErrorMeter
from nst_tf.painting.workshop import Workshop


def main() -> None:
    """Paint what is missing, measure all, say what a sheet is judged by."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", nargs="+", type=Path, required=True)
    parser.add_argument("--styles", nargs="+", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--paint", action="store_true", help="make what is missing")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop painting then")
    parser.add_argument(
        "--network", default="auto", help="what paints, VGG-19 measures"
    )
    parser.add_argument("--size", type=int, default=384, help="long side of a result")
    parser.add_argument("--strength", type=float, help="instead of the default")
    parser.add_argument("--style-loss", default="gram")
    parser.add_argument("--json", type=Path, help="every figure, as JSON")
    given = parser.parse_args()
    loss = LossSettings(strength=given.strength, style_loss=given.style_loss)
    extractor = ExtractorSettings(network=given.network)
    settings = OptimizeSettings(size=given.size, loss=loss, extractor=extractor)
    given.folder.mkdir(parents=True, exist_ok=True)
    pairs = [(photo, style) for photo in given.photos for style in given.styles]
    if given.paint:
        paint(pairs, settings, given.folder, until=time.monotonic() + given.seconds)
    found = list(measure(pairs, given.folder))
    for row in found:
        errors = " ".join(f"{x:.3f}" for x in row["style"].values())
        print(f"{row['name']:40} content {row['content']:.3f} style {errors}")
    if found:
        print(summary(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def picture_of(folder: Path, photo: Path, style: Path) -> Path:
    """Return the file of a pair."""
    return folder / f"{photo.stem}-{style.stem}.png"


def paint(
    pairs: list[tuple[Path, Path]],
    settings: OptimizeSettings,
    folder: Path,
    *,
    until: float,
) -> None:
    """Make the pictures that are missing, and note the weight that each one got."""
    workshop = Workshop()
    for photo, style in pairs:
        path = picture_of(folder, photo, style)
        if path.exists() or time.monotonic() > until:
            continue
        content, painting = load_image(photo).pixels, load_image(style).pixels
        result = optimize_image(content, painting, settings, workshop=workshop)
        save_image(path, result.pixels)
        weight = result.settings.weight_changes[-2] if settings.searches else 0.0
        print(
            f"{path.name}: {result.evaluations} evaluations, {result.seconds:.1f} s,"
            f" style weight {weight:.2f}, content {result.loss.content:.3f}",
            flush=True,
        )


def measure(pairs: list[tuple[Path, Path]], folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the errors of the pictures that are there."""
    meter = ErrorMeter(ExtractorSettings(network="vgg19"))
    for photo, style in pairs:
        path = picture_of(folder, photo, style)
        if not path.exists():
            continue
        picture = load_image(path).pixels
        height, width = picture.shape[:2]
        content = resize(load_image(photo).pixels, width, height)
        errors = meter(picture, content, load_image(style).pixels)
        yield {
            "name": path.name,
            "photo": photo.stem,
            "painting": style.stem,
            "content": errors.content,
            "style": dict(zip(STYLE_LAYERS, errors.style, strict=True)),
        }


def summary(found: list[dict[str, Any]]) -> str:
    """Return the figures over all pictures."""
    content = [row["content"] for row in found]
    lines = [
        f"{len(found)} pictures: content {min(content):.3f} to {max(content):.3f},"
        f" median {np.median(content):.3f};"
        f" {sum(0.3 <= x <= 0.55 for x in content)} within 0.3..0.55"
    ]
    for name in found[0]["style"]:
        errors = [row["style"][name] for row in found]
        lines.append(
            f"{name}: median {np.median(errors):.4f}, largest {max(errors):.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
