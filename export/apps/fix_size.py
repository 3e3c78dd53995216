"""Write a .tflite of one size from one for any size.

python fix_size.py gallery 512x384 style.tflite
"""

import sys
from pathlib import Path

from nst_export.formats.web import set_size, size_rules
from nst_export.runtime.stylizer import bundled


def main(source: str, size: str, output: str) -> None:
    """Read `source` ("gallery" is the bundled one), write `output`."""
    width, height = (int(side) for side in size.split("x"))
    if min(width, height) < 16 or width % 4 or height % 4:
        sys.exit(f"sizes are multiples of 4 from 16, got {size}")
    data = (bundled() if source == "gallery" else Path(source)).read_bytes()
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_bytes(set_size(data, size_rules(data), height, width))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
