"""`nst fetch-weights`: what is here is not downloaded again."""

import keras
import pytest

from nst_tf.cli import main

CACHED = "models/{}_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture
def downloads(monkeypatch):
    """Make Keras' downloads fail; return the list of those that were tried."""
    tried = []
    for name in ("VGG19", "VGG16"):

        def fail(name=name, **_):
            tried.append(name)
            raise Exception("URL fetch failure: no network")  # What Keras raises.

        monkeypatch.setattr(keras.applications, name, fail)
    return tried


@pytest.mark.parametrize("network", ["vgg19", "vgg16"])
def test_with_the_cache_filled_it_prints_the_path_and_downloads_nothing(
    bare, downloads, capsys, network
):
    path = bare / CACHED.format(network)
    path.parent.mkdir()
    path.touch()
    assert main(["fetch-weights", "--network", network]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert main(["fetch-weights", "--network", network, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert downloads == []


@pytest.mark.parametrize(("network", "tried"), [("vgg19", "VGG19"), ("vgg16", "VGG16")])
def test_without_a_network_it_is_one_error_that_names_the_other_way(
    bare, downloads, capsys, network, tried
):
    assert main(["fetch-weights", "--network", network]) == 2
    said = capsys.readouterr()
    assert f"no {tried} weights: the Keras download failed" in said.err
    assert f"NST_{tried}_WEIGHTS=PATH" in said.err
    assert said.out == ""
    assert downloads == [tried]


@pytest.mark.parametrize("flags", [[], ["--quiet"]])
def test_what_it_downloads_is_found_and_its_path_printed(
    bare, monkeypatch, capfd, flags
):
    path, build = bare / CACHED.format("vgg19"), keras.applications.VGG19

    def download(include_top, weights):
        assert (include_top, weights) == (False, "imagenet")
        print("Downloading data from")  # As Keras does.
        path.parent.mkdir()
        path.touch()
        return build(include_top=False, weights=None)

    monkeypatch.setattr(keras.applications, "VGG19", download)
    assert main(["fetch-weights", *flags]) == 0
    said = capfd.readouterr()
    assert said.out == ("" if flags else f"{path}\n")
    assert ("Downloading" in said.err) == (not flags)


def test_a_variable_that_names_no_file_is_said(bare, downloads, monkeypatch, capsys):
    monkeypatch.setenv("NST_VGG19_WEIGHTS", str(bare / "none.h5"))
    assert main(["fetch-weights"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"NST_VGG19_WEIGHTS names {bare / 'none.h5'}, and there is no such" in said
    assert downloads == []


@pytest.mark.parametrize(
    "command",
    [
        "optimize PHOTO PAINTING -o out.png --size 56 --scales 1 --steps 1"
        " --schedule whole",
        "explore PHOTO PAINTING -o out.png --size 48 --steps 1 --strengths 0.5"
        " --style-scales 1 --style-losses gram",
        "features PHOTO -o out --layer block1_conv1 --size 64",
    ],
)
def test_no_command_downloads_unasked(
    bare, downloads, pair, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    places = {"PHOTO": str(pair[0]), "PAINTING": str(pair[1])}
    words = [places.get(word, word) for word in command.split()]
    assert main([*words, "--quiet"]) == 0
    assert downloads == []
