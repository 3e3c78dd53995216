"""Training: the loss falls, resume has equal bits, failures lose nothing."""

import dataclasses
import json
import math
import shutil

import keras
import numpy as np
import pytest

from nst_tf import InputError
from nst_tf.imaging.folder import Folder
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.network.trained import CARD, MODEL, PREVIEWS, STATE, load_model, read_card
from nst_tf.running.callbacks import FiniteGuard
from nst_tf.running.checkpoint import load_checkpoint
from nst_tf.settings.codec import to_plain
from nst_training.settings import sweep, with_style
from nst_training.train import train
from tests.helpers import Steps, scene, training, write_photos

pytestmark = pytest.mark.usefixtures("random_vgg")


@pytest.fixture
def photos(tmp_path):
    return Folder(write_photos(tmp_path / "photos", 5))


@pytest.fixture
def settings(tmp_path):
    return short_training(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, vgg_file):
    """A training by `settings` that was not broken: its folder and its steps."""
    folder, steps = tmp_path_factory.mktemp("whole"), Steps()
    photos = Folder(write_photos(folder / "photos", 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NST_VGG19_WEIGHTS", str(vgg_file))
        out = folder / "out"
        train(short_training(folder), photos, out, observer=steps, preview_every=0)
    return out, steps


def short_training(folder):
    return training(folder, ["night", "wave"], steps=8)


def weights(folder):
    return keras.saving.load_model(folder / MODEL).get_weights()


def test_the_loss_falls_and_a_model_is_written(photos, settings, tmp_path):
    steps = Steps()
    longer = dataclasses.replace(settings, steps=40, mix=0.0)
    result = train(longer, photos, tmp_path / "out", observer=steps, preview_every=20)
    assert result.reason == "finished"
    assert [step.step for step in steps] == list(range(1, 41))
    losses = [step.loss.total for step in steps]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [CARD, MODEL, PREVIEWS]
    previews = sorted((tmp_path / "out" / PREVIEWS).iterdir())
    assert [path.name for path in previews] == ["000020.png", "000040.png"]
    assert load_image(previews[0]).pixels.shape == (64, 32 * 4, 3)
    network = keras.saving.load_model(tmp_path / "out" / MODEL)
    mix = np.array([[0, 0.5, 0.5]], "float32")
    got = network({"image": scene(41, 54)[None], "style": mix})
    assert got.shape == (1, 41, 54, 3)
    card = json.loads((tmp_path / "out" / CARD).read_text())
    assert [style["name"] for style in card["styles"]] == ["night", "wave"]
    assert card["step"] == 40


# A run that is killed and resumed, in commands/test_train.py, is always tested.
@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 5])
def test_a_resumed_run_has_the_bits_of_an_unbroken_one(
    whole, photos, settings, tmp_path, stop
):
    broken = tmp_path / "broken"
    first = train(settings, photos, broken, observer=Steps(stop), preview_every=2)
    assert first.reason == "stopped"
    steps = Steps()
    train(settings, photos, broken, observer=steps, resume=True, preview_every=0)
    assert [step.step for step in steps] == list(range(stop + 1, 9))
    for one, other in zip(weights(whole[0]), weights(broken), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_rate_rises_then_falls(whole, photos, settings, tmp_path):
    rates = [step.rate for step in whole[1]]
    assert max(rates) == pytest.approx(0.02)
    assert rates.index(max(rates)) == 1
    assert rates[-1] == pytest.approx(2e-4, rel=0.01)
    adam = dataclasses.replace(settings, optimizer="adam", steps=3)
    steps = Steps()
    train(adam, photos, tmp_path / "adam", observer=steps, preview_every=0)
    assert max(step.rate for step in steps) == pytest.approx(0.001)


def test_a_loss_that_is_not_finite_goes_back_and_lowers_the_rate(
    photos, settings, tmp_path, monkeypatch
):
    real, seen = FiniteGuard.on_train_batch_end, []

    def spoilt(self, batch, logs=None):
        if self.progress.step == 5 and not seen:
            seen.append(True)
            for variable in self.model.generator.trainable_variables:
                variable.assign(np.full(variable.shape, np.nan, "float32"))
            logs = {**logs, "total": math.nan}
        real(self, batch, logs)

    monkeypatch.setattr(FiniteGuard, "on_train_batch_end", spoilt)
    steps = Steps()
    result = train(
        settings,
        photos,
        tmp_path / "out",
        observer=steps,
        checkpoint_every=4,
        preview_every=0,
    )
    assert result.reason == "finished"
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 5, 6, 7, 8]
    assert [step.lowered for step in steps] == [0] * 5 + [1] * 4
    assert steps[5].rate == pytest.approx(steps[4].rate / 2)
    assert all(np.isfinite(array).all() for array in weights(tmp_path / "out"))


def test_a_loss_that_is_never_finite_is_an_error(photos, settings, tmp_path):
    hopeless = dataclasses.replace(
        settings, loss=dataclasses.replace(settings.loss, style_weight=1e38)
    )
    with pytest.raises(InputError, match="first step is not finite"):
        train(hopeless, photos, tmp_path / "out", preview_every=0)


def test_a_loss_that_is_lost_again_and_again_is_an_error(
    photos, settings, tmp_path, monkeypatch
):
    real = FiniteGuard.on_train_batch_end

    def spoilt(self, batch, logs=None):
        real(self, batch, {"total": math.nan} if self.progress.step == 2 else logs)

    monkeypatch.setattr(FiniteGuard, "on_train_batch_end", spoilt)
    monkeypatch.setattr("nst_training.train._GIVE_UP", 0)
    with pytest.raises(InputError, match="1 times; no state was saved"):
        train(settings, photos, tmp_path / "out", preview_every=0)


def test_weights_that_are_not_finite_are_neither_saved_nor_shown(
    photos, settings, tmp_path, monkeypatch
):
    real, seen = FiniteGuard.on_train_batch_end, []

    def spoilt(self, batch, logs=None):  # The loss is that of before the step.
        if self.progress.step == 7 and not seen:
            seen.append(True)
            for variable in self.model.generator.trainable_variables:
                variable.assign(np.full(variable.shape, np.nan, "float32"))
        real(self, batch, logs)

    monkeypatch.setattr(FiniteGuard, "on_train_batch_end", spoilt)
    steps, out = Steps(), tmp_path / "out"
    result = train(
        settings, photos, out, observer=steps, checkpoint_every=6, preview_every=4
    )
    assert result.reason == "finished"
    assert [now.step for now in steps if now.lowered] == [7, 8]
    assert len(list((out / PREVIEWS).iterdir())) == 2
    assert all(np.isfinite(array).all() for array in weights(out))


def test_the_state_of_another_recipe_is_refused(photos, settings, tmp_path):
    train(settings, photos, tmp_path, observer=Steps(2), preview_every=0)
    before = (tmp_path / STATE).read_bytes()
    for changes in ({"batch": 3}, {"seed": 9}):
        other = dataclasses.replace(settings, **changes)
        with pytest.raises(InputError, match=f"differs in {next(iter(changes))}"):
            train(other, photos, tmp_path, resume=True)
    assert (tmp_path / STATE).read_bytes() == before
    save_image(settings.styles[0].image, scene(48, 48, seed=99))
    with pytest.raises(InputError, match="differs in paintings"):
        train(settings, photos, tmp_path, resume=True)


def test_a_state_made_with_other_photographs_is_refused(photos, settings, tmp_path):
    out, others = tmp_path / "out", tmp_path / "others"
    train(settings, photos, out, observer=Steps(2), preview_every=0)
    others.mkdir()
    for file in photos.files[:-1]:
        shutil.copyfile(file, others / file.name)
    with pytest.raises(InputError, match="differs in photographs"):
        train(settings, Folder(others), out, resume=True)


def test_a_style_is_added_without_a_bit_of_change_to_the_others(
    whole, photos, settings, tmp_path
):
    base, out = whole[0], tmp_path / "more"
    save_image(tmp_path / "dots.png", scene(40, 44, seed=12))
    more = with_style(read_card(base), "dots", tmp_path / "dots.png")
    more = dataclasses.replace(more, steps=6)
    train(more, photos, out, base=base, kept=True, preview_every=3)
    old, new = load_model(base), load_model(out)
    assert new.styles == ["night", "wave", "dots"]
    changed = 0
    for layer in new.network.layers:
        before = old.network.get_layer(layer.name).get_weights()
        for one, other in zip(before, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other[: len(one)])
            if len(other) > len(one):
                changed += np.abs(other[-1] - one.mean(axis=0)).max() > 1e-3
    assert changed > 20
    photo = scene(36, 40, seed=3)
    np.testing.assert_array_equal(
        new(photo, [0, 0.4, 0.6, 0]), old(photo, [0, 0.4, 0.6])
    )
    with pytest.raises(InputError, match="has the styles night, wave, dots, the"):
        train(settings, photos, tmp_path / "x", base=out)
    with pytest.raises(InputError, match="no style is added to those of"):
        train(settings, photos, tmp_path / "x", base=base, kept=True)


def test_with_more_styles_all_of_a_model_is_trained_on(
    whole, photos, settings, tmp_path
):
    base, out = whole[0], tmp_path / "more"
    more = settings
    for name in ("dots", "lines"):
        save_image(tmp_path / f"{name}.png", scene(40, 44, seed=len(name)))
        more = with_style({"recipe": to_plain(more)}, name, tmp_path / f"{name}.png")
    more = dataclasses.replace(
        more, steps=3, learning_rate=1e-4, extractor=settings.extractor, ema=0.0
    )
    train(more, photos, out, base=base, preview_every=0)
    old, new = load_model(base), load_model(out)
    assert new.styles == ["night", "wave", "dots", "lines"]
    pairs = list(zip(weights(base), weights(out), strict=True))
    moved = [np.abs(one - other[: len(one)]).max() for one, other in pairs]
    assert np.mean(np.array(moved) > 0) > 0.9
    photo = scene(36, 40, seed=3)
    # It goes on from where the model was; new styles begin alike.
    was, now = old(photo, [0, 1, 0]), new(photo, [0, 1, 0, 0, 0])
    assert 0 < np.abs(was - now).mean() < 0.02
    dots, lines = (new(photo, row) for row in np.eye(5)[3:])
    assert 0 < np.abs(dots - lines).mean() < 0.02


def test_a_strength_that_was_mixed_in_can_be_trained_but_not_forgotten(
    photos, settings, tmp_path
):
    base, out = tmp_path / "base", tmp_path / "more"
    short = dataclasses.replace(settings, steps=1, learning_rate=1e-6, ema=0.0)
    mixed = dataclasses.replace(short, weaker=0.0)
    train(mixed, photos, base, preview_every=0)
    train(short, photos, out, base=base, preview_every=0)
    old, new = load_model(base), load_model(out)
    assert new.network.settings.trained_strength
    assert not old.network.settings.trained_strength
    photo = scene(36, 40, seed=3)
    np.testing.assert_allclose(new(photo, [0, 1, 0]), old(photo, [0, 1, 0]), atol=1e-3)
    np.testing.assert_allclose(new(photo, [1, 0, 0]), photo, atol=1e-6)
    # The photograph's row starts as the mean of the styles'.
    apart = new(photo, [0.5, 0.5, 0]) - old(photo, [0.5, 0.5, 0])
    assert np.abs(apart).mean() > 0.02
    with pytest.raises(InputError, match="weaker must exceed 0"):
        train(mixed, photos, tmp_path / "x", base=out)
    # A model that is kept is so in its own form.
    save_image(tmp_path / "dots.png", scene(40, 44, seed=12))
    more = with_style(read_card(base), "dots", tmp_path / "dots.png")
    more = dataclasses.replace(more, steps=1, weaker=0.25)
    train(more, photos, tmp_path / "y", base=base, kept=True, preview_every=0)
    kept = load_model(tmp_path / "y")
    assert not kept.network.settings.trained_strength
    np.testing.assert_array_equal(
        kept(photo, [0.5, 0.5, 0, 0]), old(photo, [0.5, 0.5, 0])
    )


def test_a_trained_model_is_trained_on_from_where_it_is(
    whole, photos, settings, tmp_path
):
    base, out = whole[0], tmp_path / "more"
    lighter = dataclasses.replace(settings, steps=4, learning_rate=1e-6, ema=0.0)
    train(lighter, photos, out, base=base, preview_every=0)
    for one, other in zip(weights(base), weights(out), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    changed = [(a != b).any() for a, b in zip(weights(base), weights(out), strict=True)]
    assert sum(changed) > 10
    assert read_card(out)["base"] == {"name": "styles", "step": settings.steps}
    train(lighter, photos, tmp_path / "y", base=base, observer=Steps(2))
    for another in (out, None):
        with pytest.raises(InputError, match="differs in base"):
            train(lighter, photos, tmp_path / "y", base=another, resume=True)
    wider = dataclasses.replace(settings, width=0.25)
    with pytest.raises(InputError, match="width"):
        train(wider, photos, tmp_path / "x", base=base)


def test_a_sweep_has_every_style_at_every_strength(settings):
    swept = sweep(settings, (0.3, 2))
    assert [(style.name, style.strength) for style in swept.styles] == [
        ("night-x0_3", 0.3),
        ("night-x2", 2.0),
        ("wave-x0_3", 0.3),
        ("wave-x2", 2.0),
    ]
    assert swept.budgets == pytest.approx([0.165, 1.1, 0.165, 1.1])
    assert sweep(settings, (9.0,)).budgets == [1.3, 1.3]
    plain = dataclasses.replace(settings, content_budget=0.0)
    assert sweep(plain, (2,)).budgets == []


def test_the_model_has_the_moving_average_of_the_weights(photos, settings, tmp_path):
    train(settings, photos, tmp_path, observer=Steps(8), preview_every=0)
    state = load_checkpoint(tmp_path / STATE)
    raw = next(iter(state.arrays.values()))
    averaged = weights(tmp_path)[0]
    assert raw.shape == averaged.shape
    assert 0 < np.abs(raw - averaged).max() < 0.1
