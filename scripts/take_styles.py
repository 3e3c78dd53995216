"""Styles that were trained on, put back into the model that they come from.

    scripts/take_styles.py MODEL -o NEW NAME=OTHER...

`nst train --add-style NEWER=PAINTING --base MODEL` of a painting that MODEL has begins
at the style that it has, and leaves all else as it is. OTHER is what that wrote; its
last style becomes NAME of the new model. Its strength there is `NAME=OTHER@STRENGTH`,
1 without one, as `set_strength.py` says.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from nst_tf.files import replacing
from nst_tf.network.trained import CARD, MODEL, load_model
from nst_tf.network.vectors import kernels_hash, put_vectors, vectors_of
from nst_tf.settings.checks import InputError, reject, within


def main() -> int:
    """Write the model anew; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("styles", nargs="+", metavar="NAME=OTHER[@STRENGTH]")
    given = parser.parse_args()
    taken = {}
    try:
        for word in given.styles:
            name, _, rest = word.partition("=")
            other, _, strength = rest.partition("@")
            taken[name] = Path(other), float(strength or 1)
        take(given.model, given.output, taken)
    except (InputError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


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
    model = load_model(folder)
    if not model.network.settings.trained_strength:
        raise InputError(f"the strength of {folder} is not trained")
    if (output / MODEL).exists():
        raise InputError(f"{output} holds a model; choose another folder")
    vectors, hashed = vectors_of(model.network), kernels_hash(model.network)
    card = {**model.card, "strengths": dict(model.card.get("strengths", {}))}
    for name, (other, strength) in taken.items():
        reject(within(f"the strength of {name}", strength, 0, 2))
        if name not in model.styles:
            raise InputError(f"{folder} has no style {name}")
        trained, place = load_model(other), model.styles.index(name)
        newer = trained.card["styles"][-1]
        same = newer.get("sha256") == card["styles"][place].get("sha256")
        if kernels_hash(trained.network) != hashed or not same:
            raise InputError(f"{other} is not {folder} with its {name} trained on")
        own, row = vectors[0], vectors_of(trained.network)[-1]
        vectors[1 + place] = own + np.float32(strength) * (row - own)
        card["strengths"][name] = strength
    put_vectors(model.network, vectors)
    output.mkdir(parents=True, exist_ok=True)
    with replacing(output / MODEL) as part:
        model.network.save(part)
    with replacing(output / CARD) as part:
        part.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
