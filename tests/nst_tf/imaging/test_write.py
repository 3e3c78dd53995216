"""Pictures to files: what comes back, and that they are whole or not there."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_tf.imaging.profile import PRIMARIES, make_profile
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import check_output, save_image, to_bytes
from nst_tf.settings.checks import InputError
from tests.helpers import scene
from tests.image_files import HEIGHT, SUFFIXES, WIDTH, noise


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_lossless_formats_keep_every_one_of_the_256_values(tmp_path, suffix):
    values = noise(HEIGHT, WIDTH, 3)
    values.flat[:256] = np.arange(256)
    save_image(tmp_path / f"a{suffix}", (values / 255).astype("float32"))
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read.pixels, values / 255, atol=1e-6)
    assert read.pixels.dtype == np.float32
    assert read.alpha is None


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".JPG"])
def test_lossy_formats_come_back_close(tmp_path, suffix):
    y, x = np.mgrid[0:48, 0:64] / 64
    picture = np.stack([x, y, 1 - x], axis=-1).astype("float32")
    save_image(tmp_path / f"a{suffix}", picture)
    read = load_image(tmp_path / f"a{suffix}").pixels
    assert np.abs(read - picture).mean() < 1.5 / 255
    assert np.abs(read - picture).max() < 12 / 255


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".png", "PNG"),
        (".jpg", "JPEG"),
        (".webp", "WEBP"),
        (".tiff", "TIFF"),
        (".bmp", "BMP"),
    ],
)
def test_the_file_has_the_format_of_its_ending(tmp_path, suffix, kind):
    save_image(tmp_path / f"a{suffix}", scene(HEIGHT, WIDTH))
    with Image.open(tmp_path / f"a{suffix}") as file:
        assert file.format == kind


def test_colour_is_not_subsampled_in_a_jpeg(tmp_path):
    save_image(tmp_path / "a.jpg", scene(HEIGHT, WIDTH))
    with Image.open(tmp_path / "a.jpg") as file:
        assert {component[1:3] for component in file.layer} == {(1, 1)}


def test_values_are_clipped_and_rounded_to_the_nearest_byte():
    given = np.array([-0.2, 0.0, 100.4 / 255, 100.6 / 255, 1.0, 1.7], "float32")
    np.testing.assert_array_equal(to_bytes(given), [0, 0, 100, 101, 255, 255])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64", "float16"])
def test_arrays_are_written_as_what_they_are(tmp_path, dtype):
    picture = scene(20, 24)
    white = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    given = np.rint(picture * white) if white > 1 else picture
    save_image(tmp_path / "out.png", given.astype(dtype))
    np.testing.assert_allclose(
        load_image(tmp_path / "out.png").pixels, picture, atol=1.1 / 255
    )


@pytest.mark.parametrize("more", [{}, {"depth": 16}, {"alpha": 1}, {"profile": 1}])
def test_greys_are_written_as_colours_are(tmp_path, more):
    grey = scene(20, 24)[..., 0]
    if "alpha" in more:
        more = {"alpha": np.ones((20, 24), "float32")}
    if "profile" in more:
        more = {"profile": make_profile(PRIMARIES[12], np.linspace(0, 1, 256) ** 2)}
    for suffix in (".png", ".tif"):
        path = tmp_path / f"out{suffix}"
        assert save_image(path, grey, **more) == ()
        np.testing.assert_allclose(
            load_image(path).pixels, np.stack([grey] * 3, axis=-1), atol=0.04
        )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (255 * scene(20, 24), r"must be RGB in 0\.\.1.*; divide by 255, or give uint8"),
        (np.full((20, 24, 3), np.nan), r"must be RGB in 0\.\.1, got nan"),
        (scene(20, 24).transpose(2, 0, 1), "its channels come first"),
        (np.zeros((20, 24, 3), "int64"), "of type int64, whose range is not known"),
        (np.zeros((2, 20, 24, 3)), "is a batch of 2 pictures"),
        (None, r"must have the shape \[H, W, 3\]"),
        ("photo.png", r"must have the shape \[H, W, 3\]"),
    ],
)
def test_what_is_no_picture_is_not_written(tmp_path, given, said):
    path = tmp_path / "out.png"
    path.write_bytes(b"before")
    with pytest.raises(InputError, match=said):
        save_image(path, given)
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_is_written_and_read_back(tmp_path, suffix):
    alpha = noise(HEIGHT, WIDTH) / 255
    save_image(tmp_path / f"a{suffix}", scene(HEIGHT, WIDTH), alpha=alpha)
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read.alpha, alpha, atol=1e-6)
    assert read.alpha.dtype == np.float32


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("depth", [8, 16])
def test_grey_pixels_and_whole_numbers_of_alpha_are_written(tmp_path, suffix, depth):
    grey, alpha = noise(HEIGHT, WIDTH), noise(HEIGHT, WIDTH, seed=1)
    path = tmp_path / f"a{suffix}"
    save_image(path, grey, alpha=alpha, depth=depth)
    read = load_image(path)
    np.testing.assert_allclose(read.alpha, alpha / 255, atol=1e-6)
    on_white = 1 + alpha / 255 * (grey / 255 - 1)
    np.testing.assert_allclose(read.pixels, np.stack([on_white] * 3, -1), atol=1e-6)


@pytest.mark.parametrize("alpha", [np.ones((3, 4)), np.ones((HEIGHT, WIDTH), bool)])
def test_what_is_no_alpha_channel_is_not_written(tmp_path, alpha):
    with pytest.raises(InputError, match="the alpha channel"):
        save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH), alpha=alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_formats_without_alpha_keep_the_colours(tmp_path, suffix):
    picture = np.full((HEIGHT, WIDTH, 3), 0.4, "float32")
    save_image(tmp_path / f"a{suffix}", picture, alpha=np.zeros((HEIGHT, WIDTH)))
    read = load_image(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read.pixels, picture, atol=1.01 / 255)
    assert read.alpha is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a{suffix}"
    save_image(path, scene(HEIGHT, WIDTH))
    before = path.read_bytes()
    break_off(monkeypatch, OSError(28, "No space left"))
    with pytest.raises(InputError, match="can't write") as caught:
        save_image(path, scene(HEIGHT, WIDTH, seed=3))
    assert str(path) in str(caught.value)
    assert str(caught.value).count("can't write") == 1
    assert path.read_bytes() == before
    assert files_in(tmp_path) == [path.name]


def break_off(monkeypatch, failure):
    def write(self, data):
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise failure

    monkeypatch.setattr(Path, "write_bytes", write)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH))
    before = (tmp_path / "a.png").read_bytes()
    break_off(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH, seed=3))
    assert (tmp_path / "a.png").read_bytes() == before
    assert files_in(tmp_path) == ["a.png"]


def test_a_failing_first_write_leaves_nothing(tmp_path, monkeypatch):
    break_off(monkeypatch, OSError(28, "No space left"))
    with pytest.raises(InputError, match="No space left"):
        save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH))
    assert files_in(tmp_path) == []


def test_a_write_replaces_the_old_file_and_leaves_no_other(tmp_path):
    values = noise(HEIGHT, WIDTH, 3)
    save_image(tmp_path / "a.png", scene(HEIGHT, WIDTH))
    save_image(tmp_path / "a.png", values / 255)
    read = load_image(tmp_path / "a.png").pixels
    np.testing.assert_allclose(read, values / 255, atol=1e-6)
    assert files_in(tmp_path) == ["a.png"]


def test_a_picture_too_long_for_webp_is_refused(tmp_path):
    with pytest.raises(InputError, match="16383"):
        save_image(tmp_path / "a.webp", np.zeros((16, 16384, 3), "float32"))
    assert files_in(tmp_path) == []


def test_a_write_below_a_regular_file_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(InputError, match="can't write"):
        save_image(tmp_path / "a.txt" / "b.png", scene(HEIGHT, WIDTH))


def test_a_write_with_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must end in one of \.jpg"):
        save_image(tmp_path / "a.gif", scene(HEIGHT, WIDTH))
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_output_in_missing_folders_makes_them_and_nothing_else(tmp_path, suffix):
    check_output(tmp_path / "new" / "newer" / f"a{suffix}")
    assert (tmp_path / "new" / "newer").is_dir()
    assert files_in(tmp_path / "new" / "newer") == []


def test_checking_an_output_leaves_an_old_file_alone(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    check_output(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert files_in(tmp_path) == ["a.png"]


@pytest.mark.parametrize("name", ["a.gif", "a", ".png", "a.png.txt", "a.svg"])
def test_an_output_with_an_unknown_ending_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"must end in one of \.jpg") as caught:
        check_output(tmp_path / "new" / name)
    assert str(tmp_path / "new" / name) in str(caught.value)
    assert files_in(tmp_path) == []


def test_an_output_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_output(tmp_path / "a.png")


@pytest.mark.parametrize("folder", ["file.txt", "file.txt/deeper", "n" * 300])
def test_an_output_that_can_not_be_written_is_refused(tmp_path, folder):
    (tmp_path / "file.txt").write_text("text")
    with pytest.raises(InputError, match="can't write") as caught:
        check_output(tmp_path / folder / "a.png")
    assert "a.png" in str(caught.value)
    assert files_in(tmp_path) == ["file.txt"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_an_output_where_even_root_can_not_write_is_refused():
    for path in (Path("/proc/nope/a.png"), Path("/proc/a.png")):
        with pytest.raises(InputError, match="can't write"):
            check_output(path)
