"""Files are compared with Keras by numbers."""

import numpy as np
import pytest

from nst_export.runtime.stylizer import Stylizer
from nst_export.verify import Sample, verify
from nst_tf import InputError
from tests.helpers import scene


def test_verify_shows_whole_graphs_without_flex_and_fit_for_a_gpu(exported):
    _, card = exported
    files = [f for f in card["files"] if f["file"].endswith(".tflite")]
    assert len(files) == 7
    for file in files:
        assert file["flex"] == []
        assert file["not_on_gpu"] == []
        assert file["xnnpack_partitions"] == 1, file["file"]
        assert "CONV_2D" in file["operations"]


def test_verify_measures_the_difference_that_is_there(exported):
    path = exported[0] / "pair.tflite"
    photo, weights = scene(32, 32, seed=3), [0.0, 1.0, 0.0]
    shifted = Stylizer.load(path)(photo, weights) + np.float32(0.02)

    def loss(picture, photo, weights):
        return float(np.mean(picture)) * weights[1]

    sample = Sample(photo, weights, shifted, loss(shifted, photo, weights))
    found = verify(path, [sample], kind="int8", loss=loss)
    assert found["psnr"] == pytest.approx(-20 * np.log10(0.02), abs=0.01)
    assert found["max_difference"] == pytest.approx(0.02, rel=1e-3)
    ratio = 1 - 0.02 / shifted.mean()
    assert found["loss_ratio"] == pytest.approx(ratio, abs=1e-4)
    with pytest.raises(InputError, match="max_difference"):
        verify(path, [sample], kind="float32")
