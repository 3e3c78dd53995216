"""Huge pictures in tiles: their geometry, their statistics, no seam."""

import math

import keras
import numpy as np
import pytest

from nst_export.card import embed, make_card
from nst_export.formats.litert import to_litert
from nst_export.runtime import stylizer as runtime
from nst_export.runtime import tiling
from nst_export.runtime.engines.litert import LiteRTTiles
from nst_export.runtime.stylizer import Stylizer, tiles_beside
from tests.helpers import scene
from tests.nst_export.trained import TRAINED, trained_network

WEIGHTS = [0.0, 0.6, 0.4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and its file for tiles, in float32."""
    folder = tmp_path_factory.mktemp("model")
    network = trained_network()
    for name, tiled in (("pair", False), ("pair-tiles", True)):
        copy = network.rebuilt(lowering="slices", tiles=tiled)
        data = embed(to_litert(copy), make_card(TRAINED))
        (folder / f"{name}.tflite").write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("length", "side"), [(64, 64), (1000, 64), (1024, 1000), (52, 16), (4000, 1024)]
)
def test_spans_cover_an_axis_once_and_see_a_halo(length, side):
    seen, found = tiling.spans(length, side)
    painted = [x for span in found for x in range(span.start, span.stop)]
    assert painted == list(range(length))
    for span in found:
        assert span.stop - span.start <= side
        assert span.first % 4 == span.start % 4 == 0
        assert span.first in range(max(0, span.start - tiling.HALO) + 1)
        assert span.first + seen >= min(length, span.stop + tiling.HALO)
        assert span.first + seen <= length


def test_a_sample_takes_patches_from_everywhere():
    y, x = np.mgrid[0:600, 0:1400].astype("float32")
    photo = np.stack([y, x, y], axis=-1)
    found = tiling.sample(photo)
    assert found.shape[0] % 4 == found.shape[1] % 4 == 0
    for channel, length in ((0, 600), (1, 1400)):
        quarters, _ = np.histogram(found[..., channel], bins=4, range=(0, length))
        assert quarters.min() > 0.15 * found[..., channel].size
    assert tiling.sample(photo[:100]).shape[0] == 100


def test_a_file_has_its_own_file_for_tiles_or_that_of_its_model(tmp_path):
    card = {"name": "pair"}
    whole, own = tmp_path / "pair-tiles.tflite", tmp_path / "pair-int8-tiles.tflite"
    whole.touch()
    assert tiles_beside(tmp_path / "pair.tflite", card) == whole
    assert tiles_beside(tmp_path / "pair-int8.tflite", card) == whole
    own.touch()
    assert tiles_beside(tmp_path / "pair-int8.tflite", card) == own
    assert tiles_beside(tmp_path / "pair.tflite", card) == whole


class Exact:
    """A session for tiles that takes the statistics of one picture, exactly."""

    def __init__(self, session, photo, style):
        self.session, self.channels = session, session.channels
        none = np.zeros((1, 3, 1, session.channels), "float32")
        _, self.found = session(photo[None], style, none)

    def __call__(self, image, style, statistics):
        if not statistics[0, 2].any():
            return image, self.found
        return self.session(image, style, statistics)


@pytest.mark.parametrize("side", [128, 200])
def test_tiles_are_the_whole_picture_given_its_statistics(folder, side):
    photo, style = scene(328, 404, seed=3), np.asarray([WEIGHTS], "float32")
    session = LiteRTTiles(folder / "pair-tiles.tflite", 2)
    got = tiling.paint(Exact(session, photo, style), photo, WEIGHTS, side=side)
    want = Stylizer.load(folder / "pair.tflite")(photo, WEIGHTS)
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_large_pictures_go_in_tiles_of_any_size_without_a_seam(folder, monkeypatch):
    photo = scene(330, 527, seed=3)
    stylizer = Stylizer.load(folder / "pair.tflite")
    whole = stylizer(photo, WEIGHTS)
    stylizer.one_pass = 200 * 200
    monkeypatch.setattr(tiling, "PATCH", 64)
    small = {"side": 160, "found": None, "most": math.inf}
    monkeypatch.setattr(tiling.paint, "__kwdefaults__", small)
    got = stylizer(photo, WEIGHTS)
    assert got.shape == photo.shape
    gap = np.abs(got - whole)
    assert gap.mean() < 0.03  # Statistics of a sample; the border of odd sizes.
    # No more change across the edges of tiles than elsewhere.
    _, spans = tiling.spans(528, 160)
    change = np.abs(np.diff(got - whole, axis=1)).mean(axis=(0, 2))
    edges = [span.start - 1 for span in spans[1:]]
    assert change[edges].mean() < 1.5 * change.mean()


def test_the_statistics_are_those_of_the_activations(folder):
    keras.utils.set_random_seed(1)
    network = trained_network()
    probe = keras.Model(
        network.input,
        [network.get_layer("down1").output, network.get_layer("out").output],
    )
    photo, style = scene(64, 96, seed=3), np.asarray([WEIGHTS], "float32")
    session = LiteRTTiles(folder / "pair-tiles.tflite", 1)
    _, found = session(
        photo[None], style, np.zeros((1, 3, 1, session.channels), "float32")
    )
    first, last = (
        keras.ops.convert_to_numpy(x)[0]
        for x in probe({"image": photo[None], "style": style})
    )
    channels = first.shape[-1]
    for values, place in ((first, slice(0, channels)), (last, slice(-3, None))):
        mean, variance = found[0, :, 0, place]
        np.testing.assert_allclose(mean, values.mean((0, 1)), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(variance, values.var((0, 1)), rtol=1e-3, atol=1e-4)


class Counted:
    """A session that keeps how many pixels it was given."""

    def __init__(self, session):
        self.session, self.channels, self.seen = session, session.channels, []

    def __call__(self, image, style, statistics):
        self.seen.append(image.shape[1] * image.shape[2])
        return self.session(image, style, statistics)


def test_where_memory_is_scarce_less_is_painted_at_a_time(folder, monkeypatch):
    photo = scene(600, 700, seed=3)
    stylizer = Stylizer.load(folder / "pair.tflite")
    whole = stylizer(photo, WEIGHTS)
    tiles = Counted(LiteRTTiles(folder / "pair-tiles.tflite", 2))
    stylizer.tile_session = lambda: tiles
    stylizer.session.shape = ()  # As if nothing had been painted yet.
    for most in (400 * 400, 300 * 300, 10):
        free = tiling.BYTES * tiles.channels * most + 12 * 600 * 700
        monkeypatch.setattr(runtime, "free_memory", lambda free=free: free / 0.75)
        got = stylizer(photo, WEIGHTS)
        least = 12 * 128 * 128
        assert max(tiles.seen) <= max(most, least)
        assert np.abs(got - whole).mean() < 0.03
        tiles.seen.clear()
    for free in (None, 10**11):
        monkeypatch.setattr(runtime, "free_memory", lambda free=free: free)
        np.testing.assert_array_equal(stylizer(photo, WEIGHTS), whole)
    assert not tiles.seen


def test_what_is_laid_out_already_is_used_again(folder, monkeypatch):
    photo = scene(600, 700, seed=3)
    stylizer = Stylizer.load(folder / "pair.tflite")
    whole = stylizer(photo, WEIGHTS)
    monkeypatch.setattr(runtime, "free_memory", lambda: 0)
    np.testing.assert_array_equal(stylizer(photo, WEIGHTS), whole)


def test_parts_of_a_sample_hold_its_patches():
    seen = tiling.sample(scene(1500, 2100, seed=3))
    parts = list(tiling._parts(seen, 600_000))
    assert len({part.shape for part in parts}) == 1
    assert all(part.shape[0] * part.shape[1] <= 600_000 for part in parts)
    patches = {patch.tobytes() for part in parts for patch in cut(part)}
    assert patches <= {patch.tobytes() for patch in cut(seen)}
    assert len(patches) > 0.9 * len(cut(seen))


def cut(laid):
    """Return the patches of 128 pixels that were laid side by side."""
    rows, columns = (length // 128 for length in laid.shape[:2])
    return [
        laid[128 * row : 128 * (row + 1), 128 * column : 128 * (column + 1)]
        for row in range(rows)
        for column in range(columns)
    ]
