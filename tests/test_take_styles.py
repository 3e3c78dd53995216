"""scripts/take_styles.py: styles that were trained on, put back into their model."""

import json

import numpy as np
import pytest

from nst_tf import InputError, NetworkSettings, build_network
from nst_tf.network.trained import load_model
from nst_tf.network.vectors import put_vectors, vectors_of, with_kernels
from scripts.take_styles import take
from tests.helpers import scene


def write(network, folder, *styles):
    folder.mkdir()
    network.save(folder / "model.keras")
    card = {"styles": [{"name": n, "sha256": h} for n, h in styles], "recipe": {}}
    (folder / "model.json").write_text(json.dumps(card))


def test_a_style_that_was_trained_on_takes_the_place_of_its_first_form(tmp_path):
    settings = NetworkSettings(styles=2, width=0.125, trained_strength=True)
    network, rng = build_network(settings), np.random.default_rng(0)
    vectors = vectors_of(network)
    vectors += 0.1 * rng.standard_normal(vectors.shape).astype("float32")
    put_vectors(network, vectors)
    row = vectors[2] + 0.1 * rng.standard_normal(vectors.shape[1]).astype("float32")
    more = with_kernels(network, styles=3)
    put_vectors(more, np.concatenate([vectors, row[None]]))
    old, other, new = (tmp_path / name for name in ("old", "other", "new"))
    write(network, old, ("night", "a"), ("wave", "b"))
    write(more, other, ("night", "a"), ("wave", "b"), ("still", "b"))
    write(build_network(settings), tmp_path / "foreign", ("wave", "b"), ("still", "b"))
    for wrong, said in (
        ({"x": (other, 1.0)}, "no style x"),
        ({"wave": (other, 3.0)}, "in 0..2, got 3"),
        ({"night": (other, 1.0)}, "is not .*old with its night trained on"),
        ({"wave": (tmp_path / "foreign", 1.0)}, "is not .*old with its wave"),
    ):
        with pytest.raises(InputError, match=said):
            take(old, new, wrong)
    take(old, new, {"wave": (other, 0.8)})
    before, trained, after = load_model(old), load_model(other), load_model(new)
    photo = scene(32, 40, seed=1)
    night = before(photo, [0, 1, 0])
    np.testing.assert_array_equal(after(photo, [0, 1, 0]), night)
    late = 0.2**4  # What is left of the photograph itself, which is mixed in late.
    expected = (trained(photo, [0.2, 0, 0, 0.8]) - late * photo) / (1 - late)
    np.testing.assert_allclose(after(photo, [0, 0, 1]), expected, atol=1e-4)
    assert after.card["strengths"] == {"wave": 0.8}
    with pytest.raises(InputError, match="holds a model"):
        take(old, new, {"wave": (other, 0.8)})
