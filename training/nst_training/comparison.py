"""One pass of a network against L-BFGS, at equal content.

Which of two pictures is better can't be told by one loss: its weights decide. Where as
much is left of the photograph, the picture with the lower style error is.

Reference:
    Johnson et al. 2016, figure 5 (a pass of the network against L-BFGS evaluations),
    https://arxiv.org/abs/1603.08155
"""

import numpy as np

from nst_tf.inspection.errors import ErrorMeter, PictureErrors
from nst_tf.painting.events import Step
from nst_tf.painting.run import optimize_image
from nst_tf.settings.budget import strength_of
from nst_tf.settings.loss import LossSettings
from nst_tf.settings.optimize import OptimizeSettings


def evaluations_to_match(
    errors: PictureErrors,
    photo: np.ndarray,
    painting: np.ndarray,
    meter: ErrorMeter,
    limit: int,
) -> int:
    """Return how many evaluations L-BFGS needs for a lower style error.

    It starts from the photograph, and its content budget is the network's own error.

    Args:
        errors: Those of the network's picture.
        photo: float32 `[H, W, 3]`, RGB 0..1.
        painting: float32 `[H', W', 3]`.
        meter: What measured the errors.
        limit: Evaluations to make at most; returned if they don't suffice.
    """
    settings = OptimizeSettings(
        size=max(photo.shape[:2]),
        style_size=max(photo.shape[:2]),
        scales=1,
        schedule="whole",
        steps=limit,
        loss=LossSettings(strength=strength_of(errors.content), palette=0.0),
    )
    reached: list[int] = []

    def observe(step: Step) -> bool:
        found = meter(step.image(), photo, painting)
        if found.mean_style <= errors.mean_style:
            reached.append(step.evaluation)
        return bool(reached)

    optimize_image(photo, painting, settings, observer=observe)
    return reached[0] if reached else limit
