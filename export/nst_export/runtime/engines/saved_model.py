"""TensorFlow's own runtime."""

from pathlib import Path

import numpy as np

from nst_export.runtime.engines.session import check_inputs, fixed_side


class SavedModel:
    """TensorFlow's own runtime."""

    def __init__(self, path: Path, threads: int) -> None:
        import tensorflow as tf

        self.model = tf.saved_model.load(str(path))
        self.serve = self.model.signatures["serving_default"]
        inputs = self.serve.structured_input_signature[1]
        self.names = set(inputs)
        check_inputs(path, self.names)
        self.takes_style = "style" in self.names
        self.numbers = (
            fixed_side(inputs["style"].shape[-1]) if self.takes_style else None
        )

    def __call__(self, image: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return `[1, H, W, 3]` of `[1, H, W, 3]` and `[1, N + 1]`."""
        import tensorflow as tf

        given = {"image": image, "style": style}
        found = self.serve(**{name: tf.constant(given[name]) for name in self.names})
        picture: np.ndarray = found["picture"].numpy()
        return picture
