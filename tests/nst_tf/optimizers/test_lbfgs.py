"""L-BFGS against independent implementations, and as a Keras optimizer."""

import keras
import numpy as np
import pytest
from keras import ops

from nst_tf import LBFGS
from nst_tf.optimizers import lbfgs
from tests.minimising import SCALES, quadratic, run


def reference(
    function, x, steps, *, history=20, project=lambda x: x, rate=1.0, changes=None
):
    """Minimise by the textbook two-loop recursion in float64 (Nocedal, Wright, 7.4)."""
    x = x.astype("float64")
    pairs, path, last = [], [], None
    for step in range(steps):
        if step in (changes or {}):
            function, last = changes[step], None
        g = function(x)
        if last is not None:
            s, y = x - last[0], g - last[1]
            if s @ y > 1e-10:
                pairs = [*pairs, (s, y)][-history:]
        q, alphas = g.copy(), []
        for s, y in reversed(pairs):
            alphas.append(s @ q / (s @ y))
            q -= alphas[-1] * y
        if pairs:
            s, y = pairs[-1]
            q *= s @ y / (y @ y)
        for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
            q += s * (alpha - y @ q / (s @ y))
        known = pairs or last is not None
        length = rate if known else rate * min(1.0, 1.0 / np.abs(g).sum())
        last = (x, g)
        x = project(x - length * q)
        path.append(x)
    return np.array(path)


def rosenbrock(x):
    a, b = x
    return np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])


def test_steps_on_a_quadratic_are_those_of_the_two_loop_recursion():
    start = np.linspace(-1, 2, 6)
    np.testing.assert_allclose(
        run(quadratic, start, 15), reference(quadratic, start, 15), atol=2e-5
    )


@pytest.mark.parametrize("backtracking", [0, 2])
def test_in_chunks_the_steps_are_the_same(monkeypatch, backtracking):
    start = np.linspace(-1, 1, 6)
    whole = run(quadratic, start, 8, history=3, backtracking=backtracking)
    monkeypatch.setattr(lbfgs, "_CHUNK", 4)  # A chunk of four and one of two.
    parts = run(quadratic, start, 8, history=3, backtracking=backtracking)
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


def test_pairs_in_bfloat16_still_lead_to_the_minimum():
    path = run(quadratic, np.linspace(-1, 1, 6), 40, history_dtype="bfloat16")
    np.testing.assert_allclose(path[-1], 0.4, atol=1e-4)


def test_steps_on_rosenbrock_are_those_of_the_two_loop_recursion():
    start = np.array([-1.2, 1.0])
    got = run(rosenbrock, start, 20, learning_rate=0.5)
    np.testing.assert_allclose(
        got, reference(rosenbrock, start, 20, rate=0.5), rtol=2e-3, atol=2e-3
    )


def test_a_short_history_drops_the_oldest_pair():
    start = np.linspace(-1, 2, 6)
    np.testing.assert_allclose(
        run(quadratic, start, 15, history=3),
        reference(quadratic, start, 15, history=3),
        atol=2e-5,
    )


TORCH_ROSENBROCK = {
    1: [-0.84492754, 1.14492754],
    2: [-0.91506006, 1.1083282],
    5: [-1.01833802, 1.06451907],
    10: [-1.02225581, 1.04728198],
    20: [-0.6274488, 0.36544394],
    40: [0.63629443, 0.399419],
}
"""Iterates 1, 2, 5, 10, 20, 40 of torch 2.13 `optim.LBFGS([x], lr=0.5, max_iter=1)` in
float64 on Rosenbrock's function from (-1.2, 1)."""


def test_steps_on_rosenbrock_are_those_of_torch():
    got = run(rosenbrock, np.array([-1.2, 1.0]), 40, learning_rate=0.5, history=100)
    for index, expected in TORCH_ROSENBROCK.items():
        np.testing.assert_allclose(got[index - 1], expected, rtol=1e-2, atol=1e-2)


def test_the_minimum_of_rosenbrock_is_scipys():
    from scipy.optimize import minimize

    def loss(x):
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    found = minimize(loss, [-1.2, 1.0], jac=rosenbrock, method="L-BFGS-B").x
    got = run(rosenbrock, np.array([-1.2, 1.0]), 120, learning_rate=0.5)[-1]
    np.testing.assert_allclose(got, found, atol=1e-3)


class UpTo(keras.constraints.Constraint):
    """Values in 0..1."""

    def __call__(self, w):
        return ops.clip(w, 0.0, 1.0)


def test_pairs_come_from_the_projected_step():
    start = np.array([0.2, 0.9, 0.5, 0.1, 0.6, 0.3])

    def pull(x):  # Two of the six minima lie outside the box.
        return SCALES * (x - np.array([1.5, 0.4, -0.7, 0.4, 0.5, 0.2]))

    got = run(pull, start, 12, constraint=UpTo())
    expected = reference(pull, start, 12, project=lambda x: np.clip(x, 0, 1))
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert got.min() >= 0
    assert got.max() <= 1


def test_a_gradient_that_is_not_finite_changes_nothing():
    variable = keras.Variable(np.ones(3, "float32"))
    optimizer = LBFGS(history=2)
    for gradient in ([1.0, 2, 3], [0.5, 1, 1], [np.nan, 0, 0]):
        before = np.asarray(variable).copy()
        optimizer.apply(
            [ops.convert_to_tensor(np.array(gradient, "float32"))], [variable]
        )
    np.testing.assert_array_equal(np.asarray(variable), before)
    optimizer.apply([ops.convert_to_tensor(np.ones(3, "float32"))], [variable])
    assert np.isfinite(np.asarray(variable)).all()


def test_the_first_change_is_the_mean_absolute_one():
    got = run(quadratic, np.linspace(-1, 2, 6), 1, first_change=0.01)[0]
    assert np.abs(got - np.linspace(-1, 2, 6)).mean() == pytest.approx(0.01, rel=1e-4)


def test_backtracking_cuts_a_step_whose_slope_shows_that_it_overshot():
    start = np.array(
        [3.0]
    )  # Newton's method on the slope arctan(x) diverges from here.
    options = {"first_change": 0.01, "history": 5}
    plain = run(np.arctan, start, 15, **options)
    cut = run(np.arctan, start, 15, backtracking=3, **options)
    # The rejected point is tried once; then the step is cut to the secant's zero.
    assert plain[1] == pytest.approx(-9.5, abs=0.2) == cut[1]
    assert abs(cut[2][0]) < 5
    secant = 2.99 - 12.5 * np.arctan(2.99) / (np.arctan(2.99) + np.arctan(9.5))
    assert cut[2][0] == pytest.approx(secant, abs=0.3)
    assert abs(cut[-1][0]) < 1e-4


def test_backtracking_leaves_good_steps_alone():
    start = np.linspace(-1, 2, 6)
    np.testing.assert_array_equal(
        run(quadratic, start, 2, backtracking=5), run(quadratic, start, 2)
    )


def small_model():
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]
    )
    model.compile(LBFGS(0.5, history=6), loss="mse", jit_compile=False)
    return model


def regression():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 4)).astype("float32")
    return x, (np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3]).astype("float32")


def fit(model, epochs):
    x, y = regression()
    history = model.fit(x, y, batch_size=64, epochs=epochs, shuffle=False, verbose=0)
    return history.history["loss"]


def test_it_trains_any_keras_model_of_several_variables():
    losses = fit(small_model(), 60)
    assert losses[-1] < 0.1 * losses[0]


def test_saved_with_the_model_it_goes_on_with_equal_bits(tmp_path):
    whole = small_model()
    fit(whole, 12)
    half = small_model()
    fit(half, 5)
    half.save(tmp_path / "half.keras")
    again = keras.models.load_model(tmp_path / "half.keras")
    fit(again, 7)
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_its_configuration_makes_an_equal_optimizer():
    optimizer = LBFGS(0.3, history=4, backtracking=2, first_change=0.1)
    again = LBFGS.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize("bad", [{"history": 0}, {"backtracking": -1}])
def test_impossible_options_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        LBFGS(**bad)


def test_no_pair_spans_a_change_of_the_function_and_the_others_stay():
    def other(x):
        return quadratic(x) + 0.1 * (x - 1.0)

    variable = keras.Variable(np.ones(6, "float32"))
    optimizer, path = LBFGS(history=5), []
    for step in range(8):
        if step == 4:
            optimizer.forget_last()
        gradient = (other if step >= 4 else quadratic)(np.asarray(variable))
        optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
        path.append(np.asarray(variable).copy())
    expected = reference(quadratic, np.ones(6), 8, history=5, changes={4: other})
    np.testing.assert_allclose(path, expected, rtol=1e-3, atol=1e-4)


def test_after_a_reset_the_path_is_that_of_a_new_optimizer():
    variable = keras.Variable(np.linspace(-1, 1, 6).astype("float32"))
    optimizer = LBFGS(history=4)

    def step(optimizer, variable):
        gradient = quadratic(np.asarray(variable).astype("float64"))
        optimizer.apply([ops.convert_to_tensor(gradient.astype("float32"))], [variable])

    for _ in range(5):
        step(optimizer, variable)
    optimizer.reset()
    other, fresh = keras.Variable(np.asarray(variable)), LBFGS(history=4)
    for _ in range(6):
        step(optimizer, variable)
        step(fresh, other)
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(other))
