"""What strength 1 is to mean for each style of a trained model.

    scripts/set_strength.py MODEL -o NEW NAME=STRENGTH...

A network whose strength is trained paints by rows of gamma and beta that lie between
the photograph's and a style's. Moving a style's rows towards the photograph's makes the
picture that had strength 0.9 the one of 1: a style whose content error came out too
large, or too small (above 1), needs no further training.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from nst_export.runtime.mix import parse_mix
from nst_tf.files import replacing
from nst_tf.network.layers import ConditionalInstanceNormalization
from nst_tf.network.trained import CARD, MODEL, load_model
from nst_tf.settings.checks import InputError, reject, within


def main() -> int:
    """Write the model anew; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("strengths", nargs="+", metavar="NAME=STRENGTH")
    given = parser.parse_args()
    try:
        rewrite(given.model, given.output, parse_mix(",".join(given.strengths)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def rewrite(folder: Path, output: Path, strengths: dict[str, float]) -> None:
    """Write a model whose strength 1 is another of the model in `folder`.

    Raises:
        InputError: There is none, its strength is not trained, it has no such style, a
            strength is no share, or the output holds a model.
    """
    model = load_model(folder)
    if not model.network.settings.trained_strength:
        raise InputError(f"the strength of {folder} is not trained")
    unknown = sorted(set(strengths) - set(model.styles))
    if unknown:
        raise InputError(f"{folder} has no style {', '.join(unknown)}")
    for name, strength in strengths.items():
        reject(within(f"the strength of {name}", strength, 0, 2))
    if (output / MODEL).exists():
        raise InputError(f"{output} holds a model; choose another folder")
    shares = np.array([[strengths.get(name, 1.0)] for name in model.styles], "float32")
    for layer in model.network.layers:
        if isinstance(layer, ConditionalInstanceNormalization):
            rows = [np.asarray(value) for value in layer.get_weights()]
            moved = [r[:1] + shares * (r[1:] - r[:1]) for r in rows]
            layer.set_weights(
                [
                    np.concatenate([r[:1], np.where(shares == 1, r[1:], m)])
                    for r, m in zip(rows, moved, strict=True)
                ]
            )
    output.mkdir(parents=True, exist_ok=True)
    with replacing(output / MODEL) as part:
        model.network.save(part)
    card = {**model.card, "strengths": strengths}
    with replacing(output / CARD) as part:
        part.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
