"""Styles that were trained on, put back into the model that they come from.

    python -m scripts.take_styles MODEL -o NEW NAME=OTHER[@STRENGTH]...

`nst train --add-style NEWER=PAINTING --base MODEL` of a painting that MODEL has begins
at the style that it has, and leaves all else as it is. OTHER is what that wrote; its
last style becomes NAME of the new model. Its strength there is `NAME=OTHER@STRENGTH`,
1 without one, as `set_strength.py` says.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from nst_tf.network.trained import load_model
from nst_tf.network.vectors import kernels_hash, vectors_of
from nst_tf.settings.checks import InputError
from scripts.set_strength import load_dialled, moved, run, save


def main() -> int:
    """Write the model anew; return the exit code."""
    return run(__doc__, "NAME=OTHER[@STRENGTH]", _taken)


def _taken(model: Path, output: Path, words: Sequence[str]) -> None:
    taken = {}
    for word in words:
        name, _, rest = word.partition("=")
        other, _, strength = rest.partition("@")
        try:
            taken[name] = Path(other), float(strength or 1)
        except ValueError:
            raise InputError(f"the strength in {word} is no number") from None
    take(model, output, taken)


def take(folder: Path, output: Path, taken: dict[str, tuple[Path, float]]) -> None:
    """Write a model with styles of others.

    Args:
        folder: The model.
        output: Where to.
        taken: By the names of its styles, the models whose last ones they become, and
            how strong.

    Raises:
        InputError: There is no such model or style, the others are no such models, a
            strength is none, or the output holds a model.
    """
    strengths = {name: strength for name, (_, strength) in taken.items()}
    model = load_dialled(folder, strengths)
    vectors, hashed = vectors_of(model.network), kernels_hash(model.network)
    for name, (other, strength) in taken.items():
        trained, place = load_model(other), model.styles.index(name)
        newer, older = trained.card["styles"][-1], model.card["styles"][place]
        same = newer.get("sha256") == older.get("sha256")
        if kernels_hash(trained.network) != hashed or not same:
            raise InputError(f"{other} is not {folder} with its {name} trained on")
        row = vectors_of(trained.network)[-1]
        vectors[1 + place] = moved(vectors[0], row, strength)
    save(model, vectors, output, {**model.card.get("strengths", {}), **strengths})


if __name__ == "__main__":
    sys.exit(main())
