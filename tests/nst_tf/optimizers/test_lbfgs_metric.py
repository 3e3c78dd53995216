"""L-BFGS with a metric against SciPy's in changed variables."""

import numpy as np
from keras import ops

from tests.minimising import quadratic, run


def ill_conditioned(n=12, condition=1e4, seed=0):
    """Return a matrix of that condition and a metric near its inverse, in float64."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = np.geomspace(1.0, condition, n)
    hessian = basis * values @ basis.T
    root = basis * values**-0.4 @ basis.T  # Of the metric: not quite the inverse.
    return hessian, root


def measured_by(root):
    """Return the metric whose square root is `root`, for LBFGS."""
    matrix = ops.convert_to_tensor((root @ root).astype("float32"))
    return lambda gradients: [ops.matmul(matrix, g[:, None])[:, 0] for g in gradients]


def test_with_a_metric_the_steps_are_scipys_in_changed_variables():
    """SciPy's inverse Hessian starts from 1: of variables scaled to have that."""
    from scipy.optimize import LbfgsInvHessProduct

    hessian, root = ill_conditioned()
    x = start = np.linspace(-1, 1, 12)
    steps, changes, expected, last = [], [], [], None
    for _ in range(10):
        slope = hessian @ x
        if last is not None:
            steps, changes = [*steps, x - last[0]], [*changes, slope - last[1]]
        if steps:
            y = root @ changes[-1]
            scaled = root * np.sqrt(steps[-1] @ changes[-1] / (y @ y))
            into = np.linalg.inv(scaled)
            product = LbfgsInvHessProduct(
                np.array([into @ s for s in steps[-4:]]),
                np.array([scaled @ y for y in changes[-4:]]),
            )
            step = scaled @ product.matvec(scaled @ slope)
        else:
            step = root @ root @ slope
            step = step / max(1.0, np.abs(step).sum())
        last, x = (x, slope), x - step
        expected.append(x)
    got = run(lambda x: hessian @ x, start, 10, history=4, metric=measured_by(root))
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2e-5)


def test_a_metric_near_the_inverse_saves_steps():
    hessian, root = ill_conditioned()
    start = np.linspace(-1, 1, 12)
    plain, measured = (
        run(lambda x: hessian @ x, start, 12, history=8, metric=metric)[-1]
        for metric in (None, measured_by(root))
    )
    loss, better = (x @ hessian @ x for x in (plain, measured))
    assert better < 0.1 * loss


def test_scipys_own_minimiser_takes_the_same_steps_in_changed_variables():
    """Where its line search takes every step whole."""
    from scipy.optimize import minimize

    hessian, root = ill_conditioned(condition=50.0)
    start, path = np.linspace(-1, 1, 12), []
    changed = root @ hessian @ root
    minimize(
        lambda z: (0.5 * z @ changed @ z, changed @ z),
        np.linalg.solve(root, start),
        jac=True,
        method="L-BFGS-B",
        callback=lambda z: path.append(root @ z),
        options={"maxcor": 5, "maxiter": 6},
    )
    first = np.abs(path[0] - start).mean()
    got = run(
        lambda x: hessian @ x,
        start,
        6,
        history=5,
        first_change=first,
        metric=measured_by(root),
    )
    np.testing.assert_allclose(got, path, rtol=2e-3, atol=2e-4)


def test_the_identity_as_a_metric_changes_nothing_but_rounding():
    start = np.linspace(-1, 2, 6)
    for options in ({"backtracking": 2}, {"history": 3, "first_change": 0.1}):
        got = run(quadratic, start, 12, metric=lambda g: g, **options)
        np.testing.assert_allclose(got, run(quadratic, start, 12, **options), atol=1e-5)
