"""`nst stylize` with real files, folders and pipes: nothing lost, nothing mixed up."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_tf.cli import main
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.places import held
from tests.helpers import PYTHONPATH, ROOT, scene
from tests.image_files import camera, noise, tiff


def stylize(*words):
    return main(["stylize", *map(str, words), "--style", "udnie"])


def photograph(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(path, scene(24, 32, seed=seed))
    return path


def files(folder):
    return sorted(str(x.relative_to(folder)) for x in folder.rglob("*") if x.is_file())


def test_an_interrupted_run_tells_of_all_that_it_painted(tmp_path, capsys, monkeypatch):
    import nst_export.commands.stylize as command

    for seed in range(6):
        photograph(tmp_path / "photos" / f"{seed}.png", seed=seed)
    (tmp_path / "photos" / "1.png").write_text("no photograph")
    both, painted = threading.Barrier(2), command.painted

    def paint(model, source, *arguments, **options):
        if source.name in ("0.png", "1.png"):
            both.wait()  # So that both are in hand when the first is painted.
        if source.name == "0.png":
            os.kill(os.getpid(), signal.SIGINT)
        if source.name == "1.png":
            time.sleep(0.5)
        return painted(model, source, *arguments, **options)

    monkeypatch.setattr(command, "painted", paint)
    assert stylize(tmp_path / "photos", "-o", tmp_path / "out", "--jobs", "2") == 130
    said = capsys.readouterr()
    count = len(files(tmp_path / "out"))
    assert f"{count} of 6 photographs painted" in said.out
    assert "left out" in said.err
    assert "1.png is not an image" in said.err


def test_three_folders_with_one_name_give_three_pictures(tmp_path, capsys):
    trips = [tmp_path / f"trip{k}" for k in (1, 2, 3)]
    for seed, trip in enumerate(trips):
        photograph(trip / "IMG_0001.jpg", seed=seed)
    photograph(trips[2] / "img_0001.JPG", seed=5)
    out = tmp_path / "out"
    assert stylize(*trips, "-o", out) == 0
    assert "4 of 4 photographs painted" in capsys.readouterr().out
    found = files(out)
    assert len({name.casefold() for name in found}) == 4
    pictures = [load_image(out / name).pixels for name in found]
    for k in range(3):
        assert np.abs(pictures[k] - pictures[k + 1]).mean() > 0.01


def test_a_photograph_is_never_replaced_by_its_painting(tmp_path, capsys):
    photo = photograph(tmp_path / "t" / "a.jpg")
    before = photo.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "t")
    (tmp_path / "other.jpg").symlink_to(photo)
    for given, output in (
        (photo, photo),
        (photo.parent, photo.parent),
        (photo.parent, tmp_path / "link"),
        (photo, tmp_path / "link" / "a.jpg"),
        (photo, tmp_path / "other.jpg"),
        (photo, photo.parent),
    ):
        assert stylize(given, "-o", output) == 2
        assert "--overwrite" in capsys.readouterr().err
        assert photo.read_bytes() == before
    assert files(tmp_path / "t") == ["a.jpg"]
    assert stylize(photo, "-o", photo, "--overwrite", "--quiet") == 0
    assert photo.read_bytes() != before


@pytest.mark.parametrize("words", [("--style", "B"), ("--mix", "B=0.5,C=0.5")])
def test_a_painting_is_never_replaced_by_a_picture(tmp_path, capsys, words):
    photo, *paintings = (photograph(tmp_path / f"{k}.png", seed=k) for k in range(3))
    before = [path.read_bytes() for path in paintings]
    named = [w.replace("B", str(paintings[0])) for w in words]
    named = [w.replace("C", str(paintings[1])) for w in named]
    assert main(["stylize", str(photo), *named, "-o", str(paintings[0])]) == 2
    assert "is an input" in " ".join(capsys.readouterr().err.split())
    assert [path.read_bytes() for path in paintings] == before


def test_a_painting_that_is_not_there_is_no_style(tmp_path, capsys):
    photo = photograph(tmp_path / "a.png")
    missing = str(tmp_path / "none.png")
    for words in (("--style", missing), ("--mix", f"{missing}=1")):
        command = ["stylize", str(photo), *words, "-o", str(tmp_path / "out.png")]
        assert main(command) == 2
        assert f"there is no file {missing}" in " ".join(
            capsys.readouterr().err.split()
        )


def test_in_place_there_is_nothing_to_resume(tmp_path, capsys):
    photo = photograph(tmp_path / "in" / "a.png")
    before = photo.read_bytes()
    for words in ((photo, "-o", photo), (photo.parent, "-o", photo.parent)):
        assert stylize(*words, "--overwrite", "--resume") == 2
        assert "choose another output" in " ".join(capsys.readouterr().err.split())
    assert photo.read_bytes() == before


def test_results_below_the_photographs_are_no_photographs(tmp_path):
    photograph(tmp_path / "a.jpg")
    for _ in range(2):
        assert stylize(tmp_path, "-o", tmp_path / "painted", "--quiet") == 0
    assert files(tmp_path / "painted") == ["a.jpg"]


def test_what_is_passed_over_is_said_and_sidecars_are_no_photographs(tmp_path, capsys):
    folder = tmp_path / "in"
    photograph(folder / "a.jpg")
    for name in ("b.jfif", "d.jpe"):
        (folder / name).write_bytes((folder / "a.jpg").read_bytes())
    for name in ("._a.jpg", "c.psd", "notes.txt"):
        (folder / name).write_text("text")
    assert stylize(folder, "-o", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert "3 of 3" in said.out
    assert "passed over 1 .psd, 1 .txt" in said.err
    assert files(tmp_path / "out") == ["a.jpg", "b.jpg", "d.jpg"]


def test_resume_passes_over_what_is_there_and_newer(tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    for k in range(3):
        photograph(folder / f"{k}.jpg", seed=k)
    assert stylize(folder, "-o", out, "--quiet") == 0
    (out / "1.jpg").unlink()
    kept = (out / "0.jpg").read_bytes()
    (out / "0.jpg").write_bytes(kept + b" ")  # Marked; newer than its photograph.
    os.utime(out / "2.jpg", (1, 1))  # Older than its photograph.
    assert stylize(folder, "-o", out, "--resume") == 0
    assert "1 of 3 are painted already" in capsys.readouterr().err
    assert files(out) == ["0.jpg", "1.jpg", "2.jpg"]
    assert (out / "0.jpg").read_bytes() == kept + b" "
    assert (out / "2.jpg").stat().st_mtime > 1


def test_a_second_run_into_one_folder_is_told_who_holds_it(tmp_path, capsys):
    photo = photograph(tmp_path / "a.jpg")
    with held(tmp_path / "out", folder=True):
        assert (
            stylize(photo, photograph(tmp_path / "b.jpg"), "-o", tmp_path / "out") == 2
        )
    assert f"is being written by process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp", "bmp", "avif"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_leaves_nothing_and_an_error(tmp_path, capsys, monkeypatch, kind):
    photo = photograph(tmp_path / "a.jpg")
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr("nst_tf.imaging.write.replacing", _onto_a_full_disk)
    assert stylize(photo, "-o", out / f"x.{kind}") == 2
    said = capsys.readouterr().err
    assert "No space left" in said
    assert said.count("can't write") == 1
    assert files(out) == []


def _onto_a_full_disk(path):
    """Stand for `replacing` on a disk without room."""
    import contextlib

    from nst_tf.files import replacing

    @contextlib.contextmanager
    def full():
        with replacing(path) as part:
            part.symlink_to("/dev/full")
            yield part

    return full()


@pytest.mark.parametrize("ending", ["jpg", "tif", "png", "webp", "avif"])
def test_a_phones_photograph_is_painted_into_every_format(tmp_path, ending):
    (tmp_path / "camera.jpg").write_bytes(camera(space=65535, interop="R03"))
    out = tmp_path / f"out.{ending}"
    assert stylize(tmp_path / "camera.jpg", "-o", out) == 0
    with Image.open(out) as file:
        assert file.size == (20, 32)
        assert file.getexif()[0x0110] == "Camera 7"
        assert file.getexif().get_ifd(0x8769)[0xA001] == 1


def test_sixteen_bits_and_the_profile_are_kept_on_request(tmp_path):
    from tests.nst_tf.imaging.test_colours import P3

    stored = noise(24, 32, 3, dtype="uint16")
    (tmp_path / "a.tif").write_bytes(tiff(stored, t34675=P3))
    out = tmp_path / "out.tif"
    flags = ("--strength", "0", "--depth", "16", "--profile", "keep")
    assert stylize(tmp_path / "a.tif", "-o", out, *flags) == 0
    with Image.open(out) as file:
        assert file.tag_v2[258] == (16, 16, 16)
        assert file.info["icc_profile"] == P3
    read = [load_image(path).pixels for path in (tmp_path / "a.tif", out)]
    assert np.abs(read[0] - read[1]).max() < 2e-3  # Of 8 bits it would be 4e-3.
    assert stylize(tmp_path / "a.tif", "-o", tmp_path / "x.jpg", "--depth", "16") == 2


@pytest.mark.parametrize("name", ["x.unknown", "x.gif", "x.heic"])
def test_an_unknown_ending_is_refused_and_no_folder_is_made(tmp_path, capsys, name):
    photo = photograph(tmp_path / "a.jpg")
    for given in ([photo], [photo, photo], [tmp_path]):
        assert stylize(*given, "-o", tmp_path / name) == 2
        assert ".jpg, .jpeg, .png" in capsys.readouterr().err
    assert files(tmp_path) == ["a.jpg"]
    assert not (tmp_path / name).exists()


def on_pipes(*words, data):
    return subprocess.run(
        [sys.executable, "-m", "nst_tf", "stylize", *words, "--style", "udnie"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, "PYTHONIOENCODING": "ascii"},
        input=data,
        capture_output=True,
        check=False,
    )


def test_a_picture_comes_through_a_pipe_and_goes_through_one(tmp_path):
    data = camera("PNG")
    done = on_pipes("-", "-o", "-", data=data)
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as file:
        assert (file.format, file.size) == ("PNG", (20, 32))
    out = tmp_path / "Mädchen, 写真.png"
    done = on_pipes("/dev/stdin", "-o", str(out), data=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert load_image(out).pixels.shape == (32, 20, 3)


def test_large_photographs_are_let_through_by_a_flag(tmp_path, capsys):
    photo, out = tmp_path / "a.jpg", tmp_path / "out.png"
    save_image(photo, scene(40, 50))
    assert stylize(photo, "-o", out, "--max-megapixels", "0.001") == 2
    assert "too large" in capsys.readouterr().err
    assert stylize(photo, "-o", out, "--max-megapixels", "0.002", "--size", "25") == 0
    assert load_image(out).pixels.shape == (20, 25, 3)


def test_an_error_is_one_line_whatever_the_engine_says(tmp_path, capfd):
    photo, out = photograph(tmp_path / "a.png"), tmp_path / "b.jpg"
    save_image(photo, np.full((16, 65501, 3), 0.5, "float32"))
    assert stylize(photo, "-o", out) == 2
    assert capfd.readouterr().err.count("\n") == 1
    (tmp_path / "no").touch()
    photo = photograph(tmp_path / "c.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nst_tf.files.beside", lambda path: tmp_path / "no" / path.name)
        patch.setattr("nst_tf.imaging.write.check_writable", lambda path: None)
        assert stylize(photo, "-o", out) == 2
    said = capfd.readouterr().err
    assert said.startswith("nst: error: can't write")
    assert said.count("\n") == 1


def test_what_fits_neither_the_format_nor_the_size_is_named(tmp_path, capsys):
    photo = tmp_path / "photos" / "long.jpg"
    photograph(photo.with_name("other.jpg"))
    save_image(photo, np.full((17, 65500, 3), 0.5, "float32"))
    out = tmp_path / "out"
    assert stylize(photo.parent, "-o", out, "--size", "480") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"left out: {photo} would have 480x1 pixels; each side needs 16" in said
    assert files(out) == ["other.jpg"]
    for ending, most in (("webp", 16383), ("jpg", 65500)):
        save_image(tmp_path / "a.png", np.full((16, most + 1, 3), 0.5, "float32"))
        assert stylize(tmp_path / "a.png", "-o", tmp_path / f"b.{ending}") == 2
        said = " ".join(capsys.readouterr().err.split())
        assert f"{most + 1}x16 pixels, and .{ending} holds {most} a side" in said
        assert "broken data" not in said
    assert not list(tmp_path.glob("b.*"))


@pytest.mark.parametrize("limit", ["0", "inf", "nan", "-1"])
def test_a_limit_that_is_none_is_refused(tmp_path, capsys, limit):
    photo = photograph(tmp_path / "a.jpg")
    out = tmp_path / "x.png"
    assert stylize(photo, "-o", out, f"--max-megapixels={limit}") == 2
    assert "max_megapixels must be" in capsys.readouterr().err
    assert not out.exists()


def test_the_draft_of_a_large_photograph_can_be_chosen(tmp_path, capsys):
    photo = tmp_path / "photo.png"
    save_image(photo, scene(200, 260))
    stylizer = Stylizer.load(bundled())
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    for flag, draft in (("100", 100), ("None", None), ("4000", None)):
        out = tmp_path / f"{flag}.png"
        assert stylize(photo, "-o", out, "--draft", flag, "--quiet") == 0
        expected = stylizer(load_image(photo).pixels, weights, draft=draft)
        assert np.abs(load_image(out).pixels - expected).max() < 1.1 / 255
    assert stylize(photo, "-o", tmp_path / "no.png", "--draft", "8") == 2
    assert "draft must be at least 16, got 8" in capsys.readouterr().err
