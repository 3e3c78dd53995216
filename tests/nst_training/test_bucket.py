"""Photographs by URLs: the order of a folder, broken ones, what is not there."""

import itertools

import numpy as np
import pytest

from nst_tf import InputError
from nst_tf.imaging.folder import Folder
from nst_training.bucket import Bucket
from nst_training.data import Batches, open_source
from tests.helpers import write_photos

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def bucket(tmp_path):
    """A bucket in memory with the photographs of a folder; return its URL and that."""
    folder = write_photos(tmp_path / "photos", 5)
    system = fsspec.filesystem("memory")
    system.put(str(folder), "/photos", recursive=True)
    yield "memory://photos", folder
    system.rm("/photos", recursive=True)


def take(source, count, start=0):
    stream = Batches(source, size=32, batch=3, styles=1, seed=5).open(start)
    return list(itertools.islice(stream, count))


def test_a_bucket_gives_the_batches_of_a_folder(bucket):
    url, folder = bucket
    expected = take(Folder(folder), 4)
    for source in (open_source(url), open_source(folder.as_uri())):
        assert isinstance(source, Bucket)
        for one, other in zip(take(source, 4), expected, strict=True):
            np.testing.assert_array_equal(one["image"], other["image"])
    later = take(open_source(url), 1, start=3)
    np.testing.assert_array_equal(later[0]["image"], expected[3]["image"])


def test_other_files_are_passed_over_and_broken_ones_named(bucket):
    url, _ = bucket
    system = fsspec.filesystem("memory")
    for name in ("notes.txt", ".hidden.png", "broken.jpg"):
        system.pipe(f"/photos/deep/{name}", b"text")
    source = open_source(url)
    assert source.names == [*(f"{k}.png" for k in range(5)), "deep/broken.jpg"]
    assert source.passed_over == "passed over 1 .txt"
    batches = Batches(source, size=32, batch=6, styles=1)
    assert np.isfinite(next(batches.open(0))["image"]).all()
    assert list(batches.broken) == [f"{url}/deep/broken.jpg"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://no-such-bucket", "there is no file or folder memory://no-such"),
        ("file:///no/such/folder", "there is no file or folder file:///no/such"),
        ("nothing://bucket", "can't open nothing://bucket: Protocol not known"),
    ],
)
def test_what_is_not_there_is_said(url, message):
    with pytest.raises(InputError, match=message):
        open_source(url)


def test_a_bucket_without_pictures_is_refused(bucket):
    fsspec.filesystem("memory").pipe("/photos/texts/a.txt", b"text")
    with pytest.raises(InputError, match=r"holds no image files.*passed over 1 \.txt"):
        open_source("memory://photos/texts")
