"""Recipes and the settings of a training, which live in nst_tf.settings."""

from nst_tf.settings.recipe_file import read_recipe
from nst_tf.settings.train import (
    ADDED_STEPS,
    LOSS,
    RATES,
    StyleSettings,
    TrainOptimizer,
    TrainSettings,
    style_name,
    sweep,
    with_style,
)

__all__ = [
    "ADDED_STEPS",
    "LOSS",
    "RATES",
    "StyleSettings",
    "TrainOptimizer",
    "TrainSettings",
    "read_recipe",
    "style_name",
    "sweep",
    "with_style",
]
