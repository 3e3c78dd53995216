"""Fixtures: weight files, small pictures."""

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # One processor each: small tensors in more threads are slower, and they wait.
    for _variable in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(_variable, "1")

from nst_tf.imaging.brushwork import brushwork
from nst_tf.imaging.scene import landscape
from nst_tf.imaging.write import save_image
from tests.helpers import random_weights, scene, write_legacy

FIRST = (
    *("backend/test_jax.py", "nst_training/test_train.py", "test_fuzz_flags.py"),
    *("nst_training/test_networks.py", "nst_training/test_painted.py"),
    *("commands/test_train.py", "workers/test_hosts.py", "test_distribution.py"),
    "test_surroundings.py",
)
"""Files that take minutes: one of them begun last would keep one process alone."""


def pytest_collection_modifyitems(config, items):
    """Put long files first; leave out what takes minutes alone, unless NST_SLOW=1."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(FIRST))
    if os.environ.get("NST_SLOW") == "1":
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory):
    """A VGG-19 weight file with random values, for tests of mechanisms."""
    path = tmp_path_factory.mktemp("weights") / "vgg19.h5"
    return write_legacy(path, random_weights())


@pytest.fixture
def random_vgg(vgg_file, monkeypatch):
    """Make the random weights the ones that every extractor finds."""
    monkeypatch.setenv("NST_VGG19_WEIGHTS", str(vgg_file))
    return vgg_file


@pytest.fixture(scope="session")
def real_vgg():
    """The real VGG-19 weights: NST_VGG19_WEIGHTS, else the Keras cache, else skip."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    cached = home / "models/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
    path = Path(os.environ.get("NST_VGG19_WEIGHTS") or cached)
    if not path.is_file():
        pytest.skip("no VGG-19 weights: set NST_VGG19_WEIGHTS or fill the Keras cache")
    return path


@pytest.fixture
def shared():
    """The folder of reference pictures, else skip."""
    path = Path(os.environ.get("NST_SHARED", Path(__file__).parents[2] / "shared"))
    if not (path / "reference").is_dir():
        pytest.skip("no reference pictures: set NST_SHARED to their folder")
    return path


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without VGG weights; return the folder of its Keras cache."""
    for network in ("VGG19", "VGG16"):
        monkeypatch.delenv(f"NST_{network}_WEIGHTS", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def reference():
    """The project's own scene and brushwork, float32 `[H, W, 3]`."""
    return landscape(240, 320), brushwork(200, 240)


@pytest.fixture
def pair(tmp_path):
    """Paths of a small photograph and a small painting."""
    content, style = tmp_path / "photo.png", tmp_path / "painting.png"
    save_image(content, scene(40, 56, seed=1))
    save_image(style, scene(48, 48, seed=7))
    return content, style
