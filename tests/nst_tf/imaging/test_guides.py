"""Masks and maps: which region gets which style, and what is refused."""

import numpy as np
import pytest

from nst_tf import InputError
from nst_tf.imaging.guides import everywhere, from_maps, from_masks

SIZE = (60, 40)
LEFT = np.zeros((40, 60), "float32")
LEFT[:, :30] = 1.0
SKY, LAND, TREE = (0.2, 0.4, 1.0), (0.9, 0.8, 0.1), (0.0, 0.3, 0.0)


def colored(*rows):
    """Return a map of horizontal bands."""
    bands = [np.broadcast_to(np.array(c, "float32"), (10, 60, 3)) for c in rows]
    return np.concatenate(bands)


def test_without_masks_all_of_the_picture_gets_a_blend():
    regions = everywhere(3, (1.0, 2.0, 1.0))
    np.testing.assert_allclose(regions.shares, [[0.25], [0.5], [0.25]])
    assert regions.cover is None
    assert regions.weights is None


def test_a_mask_gives_its_painting_its_region():
    regions = from_masks(SIZE, [SIZE, SIZE], [LEFT, 1 - LEFT])
    np.testing.assert_array_equal(regions.shares, np.eye(2))
    np.testing.assert_array_equal(regions.masks[..., 0], LEFT)
    np.testing.assert_allclose(regions.weights, [0.5, 0.5])
    assert regions.cover is None


def test_what_no_mask_covers_stays():
    regions = from_masks(SIZE, [SIZE], [0.25 * LEFT + 0.5])
    np.testing.assert_allclose(regions.cover, 0.25 * LEFT + 0.5)


def test_a_region_of_factor_0_stays():
    regions = from_masks(SIZE, [SIZE, SIZE], [LEFT, 1 - LEFT], shares=(1.0, 0.0))
    np.testing.assert_allclose(regions.cover, LEFT)
    np.testing.assert_allclose(regions.weights, [0.5, 0.0])


def test_where_masks_overlap_they_share_the_pixel():
    full = np.ones_like(LEFT)
    regions = from_masks(SIZE, [SIZE, SIZE], [full, LEFT])
    np.testing.assert_allclose(regions.masks[5, 5], [0.5, 0.5])
    np.testing.assert_allclose(regions.masks[5, 55], [1.0, 0.0])


def test_masks_of_another_size_but_one_shape_fit():
    small = LEFT[::4, ::4]
    regions = from_masks(SIZE, [SIZE, SIZE], [LEFT, 1 - small])
    assert regions.masks.shape == (40, 60, 2)
    np.testing.assert_allclose(regions.masks.sum(-1), 1.0, atol=1.0)


def test_a_style_mask_chooses_a_part_of_the_painting():
    parts = [LEFT, np.ones((20, 30, 3), "float32")]
    regions = from_masks(SIZE, [SIZE, (30, 20)], [LEFT, 1 - LEFT], parts)
    np.testing.assert_array_equal(regions.paintings[0][..., 0], LEFT)
    assert regions.paintings[0][..., 1].max() == 0
    assert regions.paintings[1].shape == (20, 30, 2)


def test_a_map_gives_each_colour_the_part_of_its_colour():
    regions = from_maps(
        SIZE, [SIZE], colored(SKY, SKY, LAND, TREE), [colored(LAND, TREE, SKY, SKY)]
    )
    assert regions.masks.shape == (40, 60, 3)
    np.testing.assert_array_equal(regions.masks.sum(-1), 1)
    sky = regions.masks[0, 0].argmax()
    assert regions.masks[15, 3].argmax() == sky
    np.testing.assert_allclose(regions.paintings[0][25, :, sky], 1)
    np.testing.assert_allclose(regions.paintings[0][5, :, sky], 0)
    assert regions.cover is None


def test_almost_equal_colours_are_one():
    noisy = colored(SKY, SKY, LAND, TREE)
    noisy = np.clip(
        noisy + np.random.default_rng(0).normal(0, 0.005, noisy.shape), 0, 1
    )
    regions = from_maps(SIZE, [SIZE], noisy, [colored(LAND, TREE, SKY, SKY)])
    assert regions.masks.shape[-1] == 3


def test_colours_that_only_the_painting_has_belong_to_no_region():
    regions = from_maps(
        SIZE, [SIZE], colored(SKY, SKY, LAND, LAND), [colored(LAND, TREE, SKY, SKY)]
    )
    assert regions.paintings[0][15].max() == 0


def test_several_paintings_share_the_colours_that_they_have():
    regions = from_maps(
        SIZE,
        [SIZE, SIZE],
        colored(SKY, SKY, SKY, LAND),
        [colored(SKY, SKY, SKY, SKY), colored(SKY, SKY, LAND, LAND)],
        (3.0, 1.0),
    )
    np.testing.assert_allclose(regions.shares, [[0.75, 0.0], [0.25, 1.0]])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: everywhere(2, (1.0,)), "2 paintings and 1 shares"),
        (lambda: from_masks(SIZE, [SIZE], [LEFT, LEFT]), "1 paintings and 2 masks"),
        (
            lambda: from_masks(SIZE, [SIZE, SIZE], [LEFT, LEFT], [LEFT]),
            "2 paintings and 1 style masks",
        ),
        (
            lambda: from_masks(SIZE, [SIZE], [LEFT[:20]]),
            r"mask 1 has 60x20 pixels.*photograph with 60x40",
        ),
        (
            lambda: from_masks(SIZE, [(50, 50)], [LEFT], [LEFT]),
            r"style mask 1 has 60x40 pixels.*painting with 50x50",
        ),
        (lambda: from_masks(SIZE, [SIZE], [0 * LEFT]), "mask 1 has no pixel"),
        (
            lambda: from_masks(SIZE, [SIZE], [LEFT], [0 * LEFT]),
            "style mask 1 has no pixel",
        ),
        (
            lambda: from_maps(SIZE, [SIZE], colored(*[SKY] * 4), []),
            "1 paintings and 0 style maps",
        ),
        (
            lambda: from_maps(
                SIZE, [SIZE], colored(*[TREE] * 4), [colored(*[SKY] * 4)]
            ),
            "no style map has: #004c00; there are #3366ff",
        ),
        (
            lambda: from_maps(
                SIZE,
                [SIZE],
                np.random.default_rng(0).random((40, 60, 3)),
                [colored(*[SKY] * 4)],
            ),
            "the map is no map of flat colours",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
