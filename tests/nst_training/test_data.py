"""Photographs to batches: crops, weights, broken files, TFDS."""

import itertools
import shutil

import numpy as np
import pytest

from nst_tf import InputError
from nst_tf.imaging.folder import Folder
from nst_tf.imaging.write import save_image
from nst_tf.settings.loss import ExtractorSettings, LossSettings
from nst_training.data import Batches, TfdsStream, open_source
from nst_training.settings import StyleSettings, TrainSettings
from nst_training.train import train
from nst_training.workers.share import Share
from tests.helpers import scene


@pytest.fixture
def folder(tmp_path):
    for index in range(7):
        deep = tmp_path / "photos" / f"set{index % 2}"
        deep.mkdir(parents=True, exist_ok=True)
        save_image(deep / f"{index}.png", scene(60, 80, seed=index))
    return tmp_path / "photos"


def batches(source, **changes):
    settings = {"size": 32, "batch": 3, "styles": 2, "seed": 5, **changes}
    return Batches(source, **settings)


def take(stream, count, start=0):
    return list(itertools.islice(stream.open(start), count))


def test_batches_are_a_function_of_seed_and_number(folder):
    whole = take(batches(Folder(folder)), 6)
    later = take(batches(Folder(folder)), 2, start=4)
    for one, other in zip(whole[4:], later, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["style"], other["style"])
    another = take(batches(Folder(folder), seed=6), 1)
    assert np.abs(another[0]["image"] - whole[0]["image"]).max() > 0.1


def test_batches_hold_pictures_and_weights(folder):
    batch = take(batches(Folder(folder)), 1)[0]
    assert batch["image"].shape == (3, 32, 32, 3)
    assert batch["image"].dtype == batch["style"].dtype == np.float32
    assert batch["image"].min() >= 0
    assert batch["image"].max() <= 1
    np.testing.assert_allclose(batch["style"].sum(axis=1), 1.0, rtol=1e-6)


def test_weights_are_single_styles_and_mixes_of_two(folder):
    draw = np.random.default_rng(0)
    stream = Batches(Folder(folder), size=32, batch=1, styles=3, mix=0.3)
    weights = np.stack([stream._weights(draw) for _ in range(4000)])
    single = (weights == 1).any(axis=1)
    assert single.mean() == pytest.approx(0.7, abs=0.03)
    assert (weights[single, 0] == 0).all()
    assert weights[single, 1].mean() == pytest.approx(1 / 3, abs=0.03)
    assert ((weights > 0).sum(axis=1) <= 2).all()
    assert (weights[:, 0] == 0).all()
    assert (weights[~single, 1] > 0).mean() == pytest.approx(2 / 3, abs=0.05)
    alone = Batches(Folder(folder), size=32, batch=1, styles=1, mix=1.0)
    assert alone._weights(draw).tolist() == [0, 1]


def test_broken_files_are_named_and_replaced_wherever_a_run_starts(folder):
    for index in (0, 2, 3):
        path = next(folder.rglob(f"{index}.png"))
        path.write_bytes(path.read_bytes()[:200])
    stream = batches(Folder(folder))
    whole = take(stream, 6)
    assert len(stream.broken) == 3
    assert all("damaged" in why for why in stream.broken.values())
    later = take(batches(Folder(folder)), 3, start=3)
    for one, other in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("broken", [(), (0, 2, 3)])
def test_the_shares_of_workers_are_the_batches_of_one(folder, count, broken):
    for index in broken:
        path = next(folder.rglob(f"{index}.png"))
        path.write_bytes(path.read_bytes()[:200])
    whole = take(batches(Folder(folder), batch=4), 5)
    shares = [
        take(batches(Folder(folder), batch=4, share=Share(rank, count)), 5)
        for rank in range(count)
    ]
    for number, batch in enumerate(whole):
        for name, rows in batch.items():
            parts = [share[number][name] for share in shares]
            assert all(len(part) == 4 // count for part in parts)
            np.testing.assert_array_equal(np.concatenate(parts), rows)


def test_a_worker_decodes_its_share_alone(folder):
    read = []

    class Noted(Batches):
        def _crop(self, name, file, number, slot):
            read.append((number, slot))
            return super()._crop(name, file, number, slot)

    settings = {"size": 32, "batch": 4, "styles": 1, "share": Share(1, 2)}
    take(Noted(Folder(folder), **settings), 3)
    assert {slot for _, slot in read} == {2, 3}


def test_a_folder_of_broken_files_is_an_error_not_an_endless_search(tmp_path):
    for index in range(3):
        (tmp_path / f"{index}.jpg").write_text("text")
    with pytest.raises(InputError, match="none of 3 photographs can be used"):
        take(batches(Folder(tmp_path)), 1)


def test_folders_without_photographs_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        open_source(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="holds no image files"):
        open_source(str(tmp_path))


@pytest.fixture(scope="module")
def tfds_folder(tmp_path_factory):
    """A real data set of photographs, built with tensorflow-datasets."""
    tfds = pytest.importorskip("tensorflow_datasets")
    home = tmp_path_factory.mktemp("tfds")

    class TinyScenes(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"image": tfds.features.Image()})
            return self.dataset_info_from_configs(features=features)

        def _split_generators(self, _):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for index in range(9):
                pixels = (255 * scene(48, 56, seed=index)).astype("uint8")
                yield index, {"image": pixels}

    TinyScenes(data_dir=str(home)).download_and_prepare()
    return home


def test_a_tfds_data_set_gives_batches(tfds_folder):
    stream = batches(TfdsStream("tiny_scenes", data_dir=tfds_folder))
    whole = take(stream, 5)
    assert not stream.broken
    assert whole[0]["image"].shape == (3, 32, 32, 3)
    later = take(
        batches(open_source("tfds:tiny_scenes:train", data_dir=tfds_folder)), 2, start=3
    )
    for one, other in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])


def test_tfds_names_that_do_not_exist_are_refused(tfds_folder):
    with pytest.raises(InputError, match="no TFDS data set nothing_there"):
        TfdsStream("nothing_there", data_dir=tfds_folder)
    with pytest.raises(InputError, match="has no split test; it has train"):
        TfdsStream("tiny_scenes:test", data_dir=tfds_folder)


def test_a_mistyped_tfds_name_is_one_line_with_a_guess(tfds_folder):
    with pytest.raises(InputError) as caught:
        TfdsStream("oxford_flower102", data_dir=tfds_folder)
    said = str(caught.value)
    assert "did you mean oxford_flowers102" in said
    assert "\n" not in said
    assert len(said) < 200


@pytest.mark.parametrize(
    ("kind", "there"),
    [
        ({"shape": (48, 56, 3), "dtype": np.uint8}, r"its image is Tensor\(shape"),
        ({"shape": (48, 56, 1), "dtype": np.float32}, r"its image is Image\(shape"),
    ],
    ids=["tensor", "floats"],
)
def test_tfds_images_that_are_no_encoded_pictures_are_refused(tmp_path, kind, there):
    tfds = pytest.importorskip("tensorflow_datasets")
    floats = kind["dtype"] == np.float32
    feature = (tfds.features.Image if floats else tfds.features.Tensor)(**kind)
    pixels = np.zeros(kind["shape"], kind["dtype"])
    tfds.dataset_builders.store_as_tfds_dataset(
        name="odd_pictures",
        version="1.0.0",
        data_dir=str(tmp_path),
        features=tfds.features.FeaturesDict({"image": feature}),
        split_datasets={"train": [("0", {"image": pixels})]},
    )
    with pytest.raises(InputError, match=there):
        TfdsStream("odd_pictures", data_dir=tmp_path)


def test_a_damaged_tfds_data_set_is_told_of_by_fit_too(tfds_folder, tmp_path):
    home = tmp_path / "tfds"
    shutil.copytree(tfds_folder, home)
    (shard,) = home.rglob("*.tfrecord*")
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    shard.write_bytes(damaged)
    settings = TrainSettings(
        styles=(StyleSettings(name="night", image=tmp_path / "night.png"),),
        size=32,
        style_size=32,
        width=0.125,
        steps=1,
        loss=LossSettings(
            content_layers=("block1_conv2",), style_layers=("block1_conv1",)
        ),
        extractor=ExtractorSettings(network="lite"),
    )
    save_image(tmp_path / "night.png", scene(48, 48, seed=7))
    stream = TfdsStream("tiny_scenes", data_dir=home)
    with pytest.raises(InputError, match=r"tiny_scenes can't be read \(corrupted"):
        train(settings, stream, tmp_path / "out")
