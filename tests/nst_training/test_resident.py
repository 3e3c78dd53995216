"""Photographs that are held: what is cut from them, and in which order."""

import itertools

import numpy as np
import pytest
from keras import ops

from nst_tf import InputError
from nst_tf.imaging.write import save_image
from nst_training.resident import ResidentBatches, crop
from nst_training.workers.share import Share
from tests.helpers import scene


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for index, path in enumerate(paths):
        save_image(path, scene(60, 60 + 40 * index, seed=index))
    return paths


def batches(files, **changes):
    return ResidentBatches(
        files, **{"size": 32, "batch": 4, "styles": 2, "seed": 5, **changes}
    )


def test_squares_cover_the_long_side(files):
    squares = batches(files).squares
    assert squares.shape[1:] == (48, 48, 3)
    assert len(squares) > 3
    assert squares.dtype == np.uint8


def test_batches_are_a_function_of_seed_and_number(files):
    whole = list(itertools.islice(batches(files).open(0), 9))
    later = list(itertools.islice(batches(files).open(6), 3))
    for one, other in zip(whole[6:], later, strict=True):
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name])
    seen = np.concatenate([batch["index"] for batch in whole])
    count = len(batches(files).squares)
    assert sorted(seen[:count]) == list(range(count))


def test_a_crop_is_the_part_it_says():
    """A plane is sampled exactly: its value tells the place."""
    y, x = np.mgrid[:48, :48]
    plane = np.stack([2 * x, 2 * y, 0 * x], axis=-1).astype("uint8")[None]
    place = np.asarray([[1.0, 0.3, 0.6, 0.9], [0.0, 0.5, 0.25, 0.1]], "float32")
    batch = {"index": np.zeros(2, "int32"), "place": place}
    got = 255 * ops.convert_to_numpy(crop(plane, batch, 32))
    assert got.shape == (2, 32, 32, 3)
    # The first is the whole square, two thirds as large.
    centers = (np.arange(32) + 0.5) * 1.5 - 0.5
    np.testing.assert_allclose(got[0, 5, 1:-1, 0], 2 * centers[1:-1], atol=0.02)
    # The second is 24 pixels wide from (12, 6), mirrored.
    centers = 36 - (np.arange(32) + 0.5) * 0.75 - 0.5
    np.testing.assert_allclose(got[1, 5, :, 0], 2 * centers, atol=0.02)
    rows = 6 + (np.arange(32) + 0.5) * 0.75 - 0.5
    np.testing.assert_allclose(got[1, :, 7, 1], 2 * rows, atol=0.02)


def test_broken_photographs_are_noted_and_left_out(files, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_text("text")
    held = batches([broken, *files])
    assert list(held.broken) == [str(broken)]
    with pytest.raises(InputError, match=r"no picture can be read; .*broken\.png"):
        batches([broken])


def test_the_shares_of_workers_are_the_batches_of_one(files):
    whole = next(batches(files).open(3))
    shares = [next(batches(files, share=Share(k, 2)).open(3)) for k in (0, 1)]
    for name, rows in whole.items():
        parts = [share[name] for share in shares]
        np.testing.assert_array_equal(np.concatenate(parts), rows)
