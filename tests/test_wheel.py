"""The wheel, installed plain: it paints, lists styles and serves, without TensorFlow.

Needs the package index: it makes an environment of its own.
"""

import json
import os
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.shipped import shipped
from tests.helpers import ROOT, scene
from tests.serving import decoded, encoded

LEFT_OUT = ("PYTHONPATH", "KERAS_BACKEND", "KERAS_HOME")
"""Variables that would let the checkout into the environment, or choose a backend."""
ENVIRONMENT = {key: os.environ[key] for key in os.environ.keys() - set(LEFT_OUT)}


def run(*command, folder):
    """Run a program where the checkout can't be imported from."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def pip(python, *words, folder):
    options = ("--quiet", "--disable-pip-version-check")
    constraints = ROOT / "constraints.txt"
    done = run(python, "-m", "pip", *words, *options, "-c", constraints, folder=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    probe = ("download", "--no-deps", "--quiet", "hatchling")
    if run(sys.executable, "-m", "pip", *probe, folder=folder).returncode:
        pytest.skip("pip reaches no package index, which has what builds the wheel")
    for file in folder.iterdir():
        file.unlink()
    pip(sys.executable, "wheel", "--no-deps", "-w", folder, ROOT, folder=folder)
    (path,) = folder.glob("nst_tf-*.whl")
    return path


@pytest.fixture(scope="module")
def home(wheel, tmp_path_factory):
    """An environment with the wheel and what it can't do without."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    pip(folder / "venv/bin/python", "install", wheel, folder=folder)
    save_image(folder / "photo.png", scene(64, 96, seed=3))
    return folder


def nst(home, *words):
    return run(home / "venv/bin/nst", *words, folder=home)


def python(home, program):
    done = run(home / "venv/bin/python", "-c", program, folder=home)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_wheel_is_typed_and_holds_the_gallery_and_the_page(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        *("nst_tf/py.typed", "nst_training/py.typed", "nst_export/py.typed"),
        *("nst_export/gallery/gallery.tflite", "nst_export/gallery/any.tflite"),
        *("nst_export/gallery/any-encoder.tflite", "nst_export/web/index.html"),
    } <= names
    assert not [name for name in names if name.startswith(("tests", "scripts"))]


def test_a_plain_install_brings_neither_tensorflow_nor_keras(home):
    program = (
        "from importlib.util import find_spec; print([x for x in"
        " ('tensorflow', 'keras', 'h5py', 'jax', 'starlette') if find_spec(x)])"
    )
    assert python(home, program) == "[]"
    place = python(home, "import nst_tf; print(nst_tf.__file__)")
    assert place.startswith(str(home))


def test_a_plain_install_lists_styles_and_paints(home):
    listed = nst(home, "styles", "--names")
    assert listed.returncode == 0, listed.stderr
    card = json.loads((ROOT / "training/models/gallery/model.json").read_text())
    names = [style["name"] for style in card["styles"]]
    assert listed.stdout.split() == names
    flags = ("--style", names[0], "-o", "out.png")
    painted = nst(home, "stylize", "photo.png", *flags)
    assert (painted.returncode, painted.stderr) == (0, "")
    picture = load_image(home / "out.png").pixels
    assert picture.shape == (64, 96, 3)
    assert abs(picture - load_image(home / "photo.png").pixels).mean() > 0.05


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("optimize", "photo.png", "photo.png", "-o", "c.png"), "tf"),
        (("train", "photo.png", "--photos", ".", "-o", "model"), "tf"),
        (("export", "gallery", "--photos", ".", "-o", "files"), "tf"),
        (("serve",), "serve"),
        (("video", "in.mp4", "--style", "udnie", "-o", "out.mp4"), "video"),
        (("stylize", "s3://in/", "--style", "udnie", "-o", "s3://out/"), "ray"),
    ],
)
def test_a_command_that_needs_more_says_so_in_a_line_before_any_work(
    home, words, extra
):
    before = sorted(home.iterdir())
    ended = nst(home, *words)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.endswith(f"pip install 'nst-tf[{extra}]'\n")
    assert sorted(home.iterdir()) == before
    assert nst(home, words[0], "--help").returncode == 0


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("gallery", ("model.keras", "model.json", "scorecard.json")),
        ("any", ("model.keras", "model.json", "encoder.keras")),
    ],
)
def test_trained_models_that_ship_are_found_in_wheel_and_checkout(home, name, files):
    program = (
        "from pathlib import Path; from nst_tf.shipped import shipped;"
        f" print(shipped(Path('{name}')))"
    )
    place = Path(python(home, program))
    assert place.is_relative_to(home)
    checkout = ROOT / "training" / "models" / name
    assert shipped(Path(name)) == checkout
    for file in files:
        assert (place / file).read_bytes() == (checkout / file).read_bytes()
    assert shipped(Path("other")) is None


def test_with_the_extra_it_serves(home, wheel):
    pip(home / "venv/bin/python", "install", f"{wheel}[serve]", folder=home)
    process = subprocess.Popen(
        [home / "venv/bin/nst", "serve", "--port", "0"],
        cwd=home,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        address = process.stdout.readline().split()[0]
        request = urllib.request.Request(
            f"{address}stylize?style=great_wave",
            encoded("PNG", 48, 64),
            {"Content-Type": "image/png"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            picture = decoded(answer.read())
        process.terminate()
    assert picture.shape[:2] == (48, 64)
