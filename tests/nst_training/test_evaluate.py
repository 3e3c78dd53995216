"""The scorecard: artefacts that are put in are found; scores follow L-BFGS."""

import dataclasses
import json

import numpy as np
import pytest

from nst_tf import InputError, NetworkSettings, build_network
from nst_tf.imaging.write import save_image
from nst_tf.network.trained import Model, load_model
from nst_tf.painting.measure import measure_loss
from nst_tf.settings.codec import to_plain
from nst_tf.settings.optimize import OptimizeSettings
from nst_training.artefacts import measure_artefacts
from nst_training.evaluate import evaluate, score
from nst_training.settings import StyleSettings, TrainSettings
from tests.helpers import SMALL_LOSS, scene

PHOTO = scene(64, 96, seed=2)


def textured(seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(0.5 + 0.1 * rng.standard_normal((64, 96, 3)), 0.01, 0.99)


def test_a_clean_picture_has_no_artefacts():
    found = measure_artefacts(textured(), textured(1))
    assert found.border == pytest.approx(1, abs=0.15)
    assert found.checkerboard < 2.5
    assert found.saturated == 0
    assert found.dead == 0


def test_a_frame_is_found():
    framed = textured()
    framed[:4] = (np.arange(96) % 2)[None, :, None]
    framed[-4:] = framed[:4]
    assert measure_artefacts(framed, textured(1)).border > 2


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_checkerboard_is_found(period, axis):
    wave = 0.08 * np.cos(2 * np.pi * np.arange((64, 96)[axis]) / period)
    shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    pattern = textured() + wave.reshape(shape)
    assert measure_artefacts(pattern, textured(1)).checkerboard > 10


def test_blown_and_dead_areas_are_found():
    picture = textured()
    picture[:16, :48] = 1.0
    picture[16:32, :48] = 0.3
    found = measure_artefacts(picture, textured(1))
    assert found.saturated == pytest.approx(16 * 48 / (64 * 96))
    assert found.dead == pytest.approx(6 / 24)
    assert measure_artefacts(picture, 0 * picture).dead == 0


class Painted:
    """Stands for a network: returns a picture made before."""

    def __init__(self, picture):
        self.picture = picture

    def __call__(self, inputs):
        return self.picture[None]


def test_the_score_counts_evaluations_until_lbfgs_is_as_good(random_vgg):
    painting = scene(48, 48, seed=7)
    settings = OptimizeSettings(
        size=96, style_size=48, scales=1, schedule="whole", steps=12, loss=SMALL_LOSS
    )
    from nst_tf import optimize_image

    seen = []
    optimize_image(
        PHOTO, painting, settings, observer=lambda s: seen.append((s.loss, s.image()))
    )
    picture = seen[7][1]  # After step 8, so the picture that step 9 evaluates.
    model = Model(Painted(picture), {"styles": [{"name": "night"}]})
    got, found = score(model, PHOTO, painting, 1, SMALL_LOSS, name="a.png", limit=20)
    np.testing.assert_array_equal(got, picture)
    assert found.loss == measure_loss(picture, PHOTO, painting, settings)
    assert found.evaluations in (8, 9, 10)
    assert (found.photo, found.style) == ("a.png", "night")
    model = Model(Painted(painting[:1, :1] * 0 + PHOTO * 0), model.card)
    assert score(model, PHOTO, painting, 1, SMALL_LOSS, limit=5)[1].evaluations == 1


@pytest.fixture
def trained(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    names = ("night", "wave")
    for index, name in enumerate(names):
        save_image(tmp_path / f"{name}.png", scene(40, 40, seed=index))
    styles = [StyleSettings(name=n, image=tmp_path / f"{n}.png") for n in names]
    settings = TrainSettings(styles=tuple(styles), width=0.125, loss=SMALL_LOSS)
    network = build_network(NetworkSettings(styles=2, width=0.125))
    network.save(folder / "model.keras")
    card = {"name": "two", "styles": to_plain(settings)["styles"]}
    card["recipe"] = to_plain(dataclasses.replace(settings))
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def test_a_model_is_scored_in_every_style(random_vgg, trained, tmp_path):
    photo = tmp_path / "photo.png"
    save_image(photo, PHOTO)
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]
    seen = []
    card, sheet = evaluate(
        trained, [photo], paintings, size=64, limit=3, observer=seen.append
    )
    assert [found.style for found in seen] == ["night", "wave"]
    assert sheet.shape == (32, 96, 3)
    assert len(card["pictures"]) == 2
    assert set(card["evaluations_by_style"]) == {"night", "wave"}
    assert json.loads(json.dumps(card)) == card
    with pytest.raises(InputError, match=r"2 styles .* but 1 paintings"):
        evaluate(trained, [photo], paintings[:1])


def test_an_evaluation_that_was_killed_goes_on(random_vgg, trained, tmp_path):
    photo, state = tmp_path / "photo.png", tmp_path / "card.part.json"
    save_image(photo, PHOTO)
    paintings = [tmp_path / "night.png", tmp_path / "wave.png"]

    def run(observer, size=64, **options):
        given = {"size": size, "limit": 3, "state": state, "observer": observer}
        return evaluate(trained, [photo], paintings, **given, **options)

    def killed(found):
        raise KeyboardInterrupt

    whole, sheet = run(lambda found: None)
    state.unlink()
    with pytest.raises(InputError, match="no scores to go on from"):
        run(killed, resume=True)
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    with pytest.raises(InputError, match="another model, other pictures or other"):
        run(killed, size=32, resume=True)
    seen = []
    card, again = run(seen.append, resume=True)
    assert [found.style for found in seen] == ["wave"]
    assert card == whole
    np.testing.assert_array_equal(again, sheet)


def test_folders_without_a_model_are_refused(tmp_path, trained):
    with pytest.raises(InputError, match="holds no trained model"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "state.npz").touch()
    with pytest.raises(InputError, match=r"no trained .*--resume finishes it"):
        load_model(tmp_path)
    (trained / "model.json").write_text('{"styles": [], "recipe": {}}')
    with pytest.raises(InputError, match="0 styles for 3 weights"):
        load_model(trained)
