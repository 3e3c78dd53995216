"""The optimizer of a training and its learning rate."""

import keras

from nst_tf.optimizers.average import WarmAverage
from nst_tf.optimizers.muon import Muon
from nst_training.settings import RATES, TrainSettings

# The name under which files of version 0.1 know it.
keras.saving.get_custom_objects()["nst_training>Muon"] = Muon


class Adam(WarmAverage, keras.optimizers.Adam):
    """Adam, whose average forgets the first weights."""


def build_optimizer(
    settings: TrainSettings, lowered: int
) -> keras.optimizers.Optimizer:
    """Return the optimizer, its rate halved `lowered` times."""
    rate = settings.learning_rate or RATES[settings.optimizer]
    peak = rate * 0.5**lowered
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if settings.warmup_steps else peak,
        max(1, settings.steps - settings.warmup_steps),
        alpha=0.01,
        warmup_target=peak if settings.warmup_steps else None,
        warmup_steps=settings.warmup_steps,
    )
    kind = Muon if settings.optimizer == "muon" else Adam
    return kind(
        schedule,
        global_clipnorm=settings.clip or None,
        use_ema=settings.ema > 0,
        ema_momentum=settings.ema or None,
        # Overwriting is done on a copy, when a model is written.
        ema_overwrite_frequency=None,
    )
