"""Paintings as the styles of a trained model for any painting."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from keras import ops

from nst_tf.imaging.read import load_image
from nst_tf.imaging.seen import seen
from nst_tf.network.trained import Model, load_encoder, load_model
from nst_tf.network.vectors import (
    own_and_styles,
    put_vectors,
    vector_encoder,
    with_kernels,
)
from nst_tf.settings.checks import InputError


def with_paintings(
    folder: Path, model: Model, paintings: Mapping[str, np.ndarray]
) -> Model:
    """Return a model whose styles are what an encoder makes of paintings.

    Args:
        folder: Where the encoder lies.
        model: That for any painting.
        paintings: float32 `[H, W, 3]`, RGB 0..1, by the names of the styles.

    Raises:
        InputError: There is no encoder, or a painting is too small.
    """
    encoder, network = load_encoder(folder), model.network
    encode = vector_encoder(encoder, network)
    vectors = [
        ops.convert_to_numpy(encode({"painting": seen(art)})["vector"])
        for art in paintings.values()
    ]
    own, _ = own_and_styles(network)
    named = with_kernels(network, styles=len(vectors))
    put_vectors(named, np.concatenate([own, *vectors]))
    styles = [{"name": name} for name in paintings]
    return Model(named, {**model.card, "styles": styles, "any": len(styles)})


def model_for(
    folder: Path, paintings: Sequence[Path]
) -> tuple[Model, list[np.ndarray]]:
    """Return a trained model whose styles are to be scored, and their paintings.

    Args:
        folder: What `train` wrote.
        paintings: The style images, in the order of the model's styles. Those of a
            model for any painting are its styles, by the stems of their names.

    Raises:
        InputError: No model, or paintings that can't be read or don't fit it.
    """
    model = load_model(folder)
    art = [load_image(path).pixels for path in paintings]
    if "any" in model.card:
        named = {path.stem: pixels for path, pixels in zip(paintings, art, strict=True)}
        if len(named) < len(art):
            raise InputError("two of the paintings have the same name: rename one")
        if not named:
            raise InputError(f"{folder} is for any painting: give it some")
        return with_paintings(folder, model, named), art
    if len(paintings) != len(model.styles):
        raise InputError(
            f"{folder} has {len(model.styles)} styles ({', '.join(model.styles)}), but"
            f" {len(paintings)} paintings were given"
        )
    return model, art
