"""Paint every photograph like every painting and lay the results out on one sheet.

    .venv/bin/python scripts/contact_sheet.py PHOTOS... --styles STYLES... -o SHEET.jpg

Results stay in a folder beside the sheet; those that are there are not made again, so
that an interrupted call goes on where it was.
"""

import argparse
import os
from pathlib import Path

import numpy as np

from nst_tf import OptimizeSettings, load_image, optimize_image, save_image
from nst_tf.imaging.contact_sheet import arrange, on_square

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
GAP = 6


def main() -> None:
    """Make the results, then the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--styles", nargs="+", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--size", type=int, default=384, help="long side of a result")
    parser.add_argument("--cell", type=int, default=240, help="long side on the sheet")
    given = parser.parse_args()
    folder = given.output.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    settings = OptimizeSettings(size=given.size)
    rows = []
    for photo in given.photos:
        content = load_image(photo).pixels
        row = []
        for style in given.styles:
            path = folder / f"{photo.stem}-{style.stem}.png"
            if not path.exists():
                painting = load_image(style).pixels
                result = optimize_image(content, painting, settings)
                save_image(path, result.pixels)
                print(
                    f"{path.name}: {result.evaluations} evaluations, "
                    f"{result.seconds:.0f} s, loss {result.loss.total:,.0f}",
                    flush=True,
                )
            pixels = load_image(path).pixels
            row.append(on_square(pixels, given.cell + GAP, margin=GAP))
        rows.append(trim(arrange(row, columns=len(row))))
    save_image(given.output, np.concatenate(rows))


def trim(row: np.ndarray) -> np.ndarray:
    """Take off what is white above and below a row of cells, down to the margin."""
    (lines,) = np.nonzero((row < 1).any(axis=(1, 2)))
    return row[max(0, lines[0] - GAP // 2) : lines[-1] + 1 + GAP // 2]


if __name__ == "__main__":
    main()
