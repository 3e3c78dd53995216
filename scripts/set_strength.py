"""What strength 1 is to mean for each style of a trained model.

    python -m scripts.set_strength MODEL -o NEW NAME=STRENGTH...

A network whose strength is trained paints by rows of gamma and beta that lie between
the photograph's and a style's. Moving a style's rows towards the photograph's makes the
picture that had strength 0.9 the one of 1: a style whose content error came out too
large, or too small (above 1), needs no further training.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from nst_export.runtime.mix import parse_mix
from nst_tf.files import replacing
from nst_tf.network.trained import CARD, MODEL, Model, load_model
from nst_tf.network.vectors import put_vectors, vectors_of
from nst_tf.settings.checks import InputError, reject, within

Work = Callable[[Path, Path, Sequence[str]], None]
"""Makes of a model, given where to and the words behind, another."""


def main() -> int:
    """Write the model anew; return the exit code."""
    return run(__doc__, "NAME=STRENGTH", _rewritten)


def run(doc: str, words: str, work: Work) -> int:
    """Run a script that makes of a model another; return the exit code.

    Args:
        doc: The script's docstring.
        words: What the words behind the model are.
        work: What it does.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("words", nargs="+", metavar=words)
    given = parser.parse_args()
    try:
        work(given.model, given.output, given.words)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _rewritten(model: Path, output: Path, words: Sequence[str]) -> None:
    rewrite(model, output, parse_mix(",".join(words)))


def rewrite(folder: Path, output: Path, strengths: dict[str, float]) -> None:
    """Write a model whose strength 1 is another of the model in `folder`.

    Raises:
        InputError: There is none, its strength is not trained, it has no such style, a
            strength is no share, or the output holds a model.
    """
    model = load_dialled(folder, strengths)
    vectors = vectors_of(model.network)
    for name, strength in strengths.items():
        place = 1 + model.styles.index(name)
        vectors[place] = moved(vectors[0], vectors[place], strength)
    save(model, vectors, output, strengths)


def load_dialled(folder: Path, strengths: Mapping[str, float]) -> Model:
    """Read a model whose strength is trained.

    Args:
        folder: Where it lies.
        strengths: What is wanted of its styles.

    Raises:
        InputError: There is none, its strength is not trained, it has no such style, or
            a strength is no share.
    """
    model = load_model(folder)
    if not model.network.settings.trained_strength:
        raise InputError(f"the strength of {folder} is not trained")
    unknown = sorted(set(strengths) - set(model.styles))
    if unknown:
        raise InputError(f"{folder} has no style {', '.join(unknown)}")
    for name, strength in strengths.items():
        reject(within(f"the strength of {name}", strength, 0, 2))
    return model


def moved(own: np.ndarray, row: np.ndarray, strength: float) -> np.ndarray:
    """Return a style's vector, moved towards the photograph's; at 1 to the bit."""
    return row if strength == 1 else own + np.float32(strength) * (row - own)


def save(
    model: Model, vectors: np.ndarray, output: Path, strengths: dict[str, float]
) -> None:
    """Write a model with other vectors.

    Args:
        model: The model, which takes them.
        vectors: float32 `[N + 1, S]`.
        output: Where to.
        strengths: For the card.

    Raises:
        InputError: The output holds a model.
    """
    if (output / MODEL).exists():
        raise InputError(f"{output} holds a model; choose another folder")
    put_vectors(model.network, vectors)
    output.mkdir(parents=True, exist_ok=True)
    with replacing(output / MODEL) as part:
        model.network.save(part)
    card = {**model.card, "strengths": strengths}
    with replacing(output / CARD) as part:
        part.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
