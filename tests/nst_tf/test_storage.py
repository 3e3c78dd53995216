"""Folders on any storage: whole files, dates, and clear words."""

import importlib.util
import time
import uuid

import pytest

from nst_tf.settings.checks import InputError
from nst_tf.storage import Store


@pytest.fixture(params=["memory", "file", "path"])
def place(request, tmp_path):
    """A folder that is there."""
    if request.param == "memory":
        import fsspec

        name = uuid.uuid4().hex
        fsspec.filesystem("memory").makedirs(f"/{name}")
        return f"memory://{name}"
    return str(tmp_path) if request.param == "path" else tmp_path.as_uri()


def test_what_is_written_is_there_whole_with_its_date(place):
    before = time.time() - 1
    store = Store(f"{place}/out")
    store.prepare()
    assert store.files() == {}
    store.write("deep/er/a.jpg", b"first")
    store.write("deep/er/a.jpg", b"second")
    assert store.read("deep/er/a.jpg") == b"second"
    assert store.read("deep/er/a.jpg", end=3) == b"sec"
    ((name, written),) = store.files().items()
    assert name == "deep/er/a.jpg"
    assert before <= written <= time.time() + 1
    assert store.time(name) == pytest.approx(written)
    assert store.kind() == "directory"
    assert Store(f"{place}/out/deep/er/a.jpg").kind() == "file"
    assert Store(f"{place}/out/deep/er/a.jpg").read("") == b"second"


def test_a_write_that_fails_leaves_what_was_there(place, monkeypatch):
    store = Store(place)
    store.write("a.jpg", b"before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.system, "mv", full, raising=True)
    with pytest.raises(InputError, match=r"can't write .*a.jpg: .*No space left"):
        store.write("a.jpg", b"after")
    monkeypatch.undo()
    assert store.read("a.jpg") == b"before"
    assert set(store.files()) == {"a.jpg"}


def test_what_is_missing_is_named(place):
    store = Store(f"{place}/missing")
    with pytest.raises(InputError, match=r"no file or folder \S+/missing$"):
        store.kind()
    with pytest.raises(InputError, match=r"no file or folder \S+/missing/a.jpg"):
        store.read("a.jpg")
    assert store.files() == {}


def test_a_bucket_is_never_made():
    with pytest.raises(InputError, match="no bucket or top folder nowhere"):
        Store("memory://nowhere/out").prepare()


def test_a_protocol_that_is_not_known_or_not_installed_is_said():
    with pytest.raises(InputError, match=r"can't open nosuch://a: .*nosuch"):
        Store("nosuch://a")
    if importlib.util.find_spec("s3fs") is None:
        with pytest.raises(InputError, match="s3fs"):
            Store("s3://bucket/a")
