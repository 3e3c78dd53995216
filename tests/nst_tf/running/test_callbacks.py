"""What happens after a step: counting, ending, saving, in this order."""

import math

import pytest

from nst_tf.running.callbacks import FiniteGuard, Plateau, Report, SaveState
from nst_tf.running.progress import Progress


class Model:
    stop_training = False


def run(losses, callbacks, progress):
    """Play a fit: call the callbacks with one loss after another."""
    model = Model()
    for callback in callbacks:
        callback.set_model(model)
    for number, loss in enumerate(losses):
        logs = {"total": loss, "content": loss, "style": 0.0, "tv": 0.0}
        for callback in callbacks:
            callback.on_train_batch_end(number, logs)
        if model.stop_training:
            break
    return model


def test_steps_are_counted_and_the_last_finite_loss_is_kept():
    now = Progress()
    now.steps = 5
    seen = []
    callbacks = [FiniteGuard(now), Report(now, lambda: seen.append(now.step))]
    run([3.0, 2.0, math.nan, 1.0], callbacks, now)
    assert (now.step, now.done, now.loss.total) == (3, 3, 2.0)
    assert now.failed
    assert seen == [1, 2]


def test_an_observer_that_returns_true_ends_the_run_after_a_state():
    now = Progress()
    now.steps = 9
    saved = []
    callbacks = [
        FiniteGuard(now),
        Report(now, lambda: now.step == 4),
        SaveState(now, lambda: saved.append(now.step), every=3),
    ]
    run([1.0] * 9, callbacks, now)
    assert now.reason == "stopped"
    assert saved == [3, 4]


def test_a_state_is_saved_every_so_many_steps_and_at_the_end():
    now = Progress()
    now.steps = 8
    saved = []
    save = SaveState(now, lambda: saved.append(now.done), every=3)
    run([1.0] * 8, [FiniteGuard(now), save], now)
    assert saved == [3, 6, 8]


def test_no_state_is_saved_of_a_loss_that_is_not_finite():
    now = Progress()
    now.steps = 4
    saved = []
    save = SaveState(now, lambda: saved.append(now.done), every=1)
    run([1.0, math.inf], [FiniteGuard(now), save], now)
    assert saved == [1]


@pytest.mark.parametrize(("fall", "steps"), [(0.001, 21), (0.2, 40)])
def test_a_pass_ends_when_the_loss_is_flat(fall, steps):
    now = Progress()
    now.steps = 40
    ended = []
    flat = Plateau(now, 0.5, lambda: ended.append(now.step))
    run([(1 - fall) ** k for k in range(40)], [FiniteGuard(now), flat], now)
    assert now.step == steps
    assert ended == ([21] if steps == 21 else [])
    assert now.last
    assert flat.losses == []


def test_losses_before_a_change_do_not_compare():
    now = Progress()
    now.steps = 60
    flat = Plateau(now, 0.5, lambda: None)

    def change():
        if now.step == 15:
            flat.forget()

    run([1.0] * 60, [FiniteGuard(now), Report(now, change), flat], now)
    assert now.step == 15 + 21


def test_a_run_goes_on_from_its_facts():
    now = Progress()
    now.steps = 9
    run([5.0, 4.0], [FiniteGuard(now)], now)
    again = Progress()
    again.restore(now.facts())
    assert (again.step, again.done, again.loss) == (2, 2, now.loss)
    assert again.seconds >= now.seconds - 1
