"""Runs of L-BFGS on functions whose minimum is known."""

import keras
import numpy as np
from keras import ops

from nst_tf import LBFGS

SCALES = np.array([1.0, 3.0, 10.0, 0.5, 4.0, 7.0])


def quadratic(x):
    return SCALES * (x - 0.4)


def run(function, x, steps, constraint=None, **options):
    """Take the same steps with the optimizer."""
    variable = keras.Variable(x.astype("float32"))
    variable.constraint = constraint
    optimizer = LBFGS(**options)
    path = []
    for _ in range(steps):
        gradient = function(np.asarray(variable).astype("float64"))
        optimizer.apply([ops.convert_to_tensor(gradient.astype("float32"))], [variable])
        path.append(np.asarray(variable).copy())
    return np.array(path)
