"""scripts/set_strength.py: what strength 1 is to mean."""

import json

import numpy as np
import pytest

from nst_tf import InputError, NetworkSettings, build_network
from nst_tf.network.trained import load_model
from scripts.set_strength import rewrite
from tests.helpers import scene


@pytest.mark.parametrize("trained", [True, False])
def test_strength_1_is_what_a_smaller_one_was(tmp_path, trained):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    network = build_network(
        NetworkSettings(styles=2, width=0.125, trained_strength=trained)
    )
    rng = np.random.default_rng(0)
    network.set_weights(
        [w + 0.1 * rng.standard_normal(w.shape) for w in network.get_weights()]
    )
    network.save(old / "model.keras")
    card = {"styles": [{"name": "night"}, {"name": "wave"}], "recipe": {}}
    (old / "model.json").write_text(json.dumps(card))
    if not trained:
        with pytest.raises(InputError, match="is not trained"):
            rewrite(old, new, {"night": 0.9})
        return
    for wrong, said in (({"x": 0.9}, "no style x"), ({"night": 3.0}, "in 0..2, got 3")):
        with pytest.raises(InputError, match=said):
            rewrite(old, new, wrong)
    rewrite(old, new, {"night": 0.8})
    photo = scene(32, 40, seed=1)
    before, after = load_model(old), load_model(new)
    # Without what is left of the photograph itself, which is mixed in late.
    late = 0.2**4
    expected = (before(photo, [0.2, 0.8, 0]) - late * photo) / (1 - late)
    np.testing.assert_allclose(after(photo, [0, 1, 0]), expected, atol=1e-4)
    np.testing.assert_array_equal(after(photo, [0, 0, 1]), before(photo, [0, 0, 1]))
    assert after.card["strengths"] == {"night": 0.8}
    with pytest.raises(InputError, match="holds a model"):
        rewrite(old, new, {"night": 0.8})
