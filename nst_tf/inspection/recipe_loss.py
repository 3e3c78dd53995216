"""The loss that a recipe trains, of one picture."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nst_tf.backend.compile import in_graph
from nst_tf.imaging.read import load_image
from nst_tf.imaging.resize import reduce
from nst_tf.loss.extractor import build_extractor
from nst_tf.loss.objective import Objective
from nst_tf.loss.targets import MixedTargets
from nst_tf.settings.train import TrainSettings


def recipe_loss(
    recipe: TrainSettings,
) -> Callable[[np.ndarray, np.ndarray, Sequence[float]], float]:
    """Return the loss that a recipe trains, in float32.

    Args:
        recipe: Names the paintings; one that can't be read is an `InputError`.

    Returns:
        A function of a picture and its photograph, float32 `[H, W, 3]` RGB 0..1, and
        of the style weights, the photograph's own first.
    """
    extractor = build_extractor(recipe.loss.layers, settings=recipe.extractor)
    objective = Objective(extractor, recipe.loss)
    paintings = [
        reduce(load_image(style.image).pixels, style.size or recipe.style_size)
        for style in recipe.styles
    ]
    strengths = [style.strength for style in recipe.styles]
    targets = MixedTargets(objective, paintings, strengths)

    def total(picture: Any, photo: Any, style: Any) -> Any:
        return objective(picture, targets({"image": photo, "style": style})).total

    measure = in_graph(total)

    def loss(picture: np.ndarray, photo: np.ndarray, weights: Sequence[float]) -> float:
        style = np.asarray([weights], "float32")
        return float(measure(picture[None], photo[None], style))

    return loss
