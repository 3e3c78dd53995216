"""What strength 1 is to mean for each style of a trained model.

    scripts/set_strength.py MODEL -o NEW NAME=STRENGTH...

A network whose strength is trained paints by rows of gamma and beta that lie between
the photograph's and a style's. Moving a style's rows towards the photograph's makes the
picture that had strength 0.9 the one of 1: a style whose content error came out too
large, or too small (above 1), needs no further training.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from nst_tf.files import replacing
from nst_tf.network.layers import ConditionalInstanceNormalization
from nst_tf.network.trained import CARD, MODEL, load_model
from nst_tf.settings.checks import InputError


def main() -> None:
    """Write the model anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("strengths", nargs="+", metavar="NAME=STRENGTH")
    given = parser.parse_args()
    model = load_model(given.model)
    if not model.network.settings.trained_strength:
        raise InputError(f"the strength of {given.model} is not trained")
    wanted = {name: float(x) for name, x in (s.split("=") for s in given.strengths)}
    unknown = sorted(set(wanted) - set(model.styles))
    if unknown:
        raise InputError(f"{given.model} has no style {', '.join(unknown)}")
    if (given.output / MODEL).exists():
        raise InputError(f"{given.output} holds a model; choose another folder")
    shares = np.array([[wanted.get(name, 1.0)] for name in model.styles], "float32")
    for layer in model.network.layers:
        if isinstance(layer, ConditionalInstanceNormalization):
            rows = [np.asarray(value) for value in layer.get_weights()]
            layer.set_weights(
                [
                    np.concatenate([r[:1], r[:1] + shares * (r[1:] - r[:1])])
                    for r in rows
                ]
            )
    given.output.mkdir(parents=True, exist_ok=True)
    with replacing(given.output / MODEL) as part:
        model.network.save(part)
    card = {**model.card, "strengths": wanted}
    with replacing(given.output / CARD) as part:
        part.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
