"""`nst video --optimize`: a film by the loss itself, gone on with, and bad input."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from nst_export.commands import video_optimize
from nst_tf import cli
from nst_tf.imaging.write import save_image
from nst_tf.settings.codec import to_dict
from nst_tf.settings.optimize import OptimizeSettings
from nst_tf.video.decode import FilmSource
from nst_tf.video.run import parts_folder
from tests.films import moving, packets, read_film, write_film
from tests.helpers import scene

FLAGS = ("--optimize", "--network", "lite", "--steps", 3, "--scales", 1)
FLAGS += ("--content-layers", "block2_conv2", "--style-layers", "block1_conv1")
FLAGS += ("--precision", "float32", "--frame-steps", 2, "--quiet", "--codec", "ffv1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A film with sound, two paintings and a mask."""
    folder = tmp_path_factory.mktemp("optimize")
    write_film(folder / "film.mkv", moving(8), sound="aac", codec="ffv1")
    save_image(folder / "night.png", scene(40, 48, seed=3))
    save_image(folder / "wave.png", scene(48, 40, seed=9))
    mask = np.zeros((48, 64, 3), "float32")
    mask[:, :32] = 1.0
    save_image(folder / "mask.png", mask)
    return folder


def run(folder, *flags, out="out.mkv"):
    words = ("video", folder / "film.mkv", folder / "night.png", *flags)
    try:
        return cli.main([str(word) for word in (*words, "-o", folder / out)])
    except SystemExit as left:
        return left.code


@pytest.fixture(scope="module")
def painted(folder):
    """The film, painted."""
    assert run(folder, *FLAGS) == 0
    return folder / "out.mkv"


def test_a_film_is_painted_with_its_sound_and_its_times(folder, painted):
    film = folder / "film.mkv"
    assert packets(painted, "audio") == packets(film, "audio")
    times, pictures = read_film(painted)
    assert times == read_film(film)[0]
    for found, frame in zip(pictures, FilmSource(film).frames(), strict=True):
        assert 0.01 < abs(found / 255 - frame.pixels).mean() < 0.4
    assert not parts_folder(painted).exists()


def test_a_run_that_was_stopped_goes_on_with_the_frames_of_an_unbroken_one(
    folder, painted, monkeypatch
):
    monkeypatch.setattr(video_optimize, "_PART", 2)
    out = folder / "broken.mkv"
    state = parts_folder(out) / "state.npz"

    def interrupt():
        while not state.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    assert run(folder, *FLAGS, out="broken.mkv") == 130
    assert 0 < len(read_film(out)[0]) < 8
    assert run(folder, *FLAGS, "--strength", 0.7, "--resume", out="broken.mkv") == 2
    assert run(folder, *FLAGS, "--resume", out="broken.mkv") == 0
    found, expected = (read_film(path) for path in (out, painted))
    assert found[0] == expected[0]
    for one, other in zip(found[1], expected[1], strict=True):
        assert (one == other).all()


def test_masks_and_settings_of_pictures_work(folder):
    flags = ("--masks", folder / "mask.png", "--style-loss", "mean-variance")
    # The painting's palette is near the film's: with it, all colours change less.
    flags += ("--end", 0.1, "--size", 48, "--style-weight", 30, "--palette", 0)
    # The memory that its run was kept to says nothing of a film.
    settings = to_dict(OptimizeSettings(memory="4GB"))
    save_image(folder / "like.png", scene(40, 48), settings={"settings": settings})
    flags += ("--like", folder / "like.png")
    assert run(folder, *FLAGS, *flags, out="masked.mkv") == 0
    _, pictures = read_film(folder / "masked.mkv")
    assert len(pictures) == 3
    frames = FilmSource(folder / "film.mkv", size=48).frames()
    for found, frame in zip(pictures, frames, strict=False):
        gap = abs(found / 255 - frame.pixels)
        assert gap[:, :20].mean() > 2 * gap[:, 28:].mean()


def test_every_flag_of_pictures_has_a_place_or_none():
    from nst_tf.commands.optimize import GROUPS

    names = [name for group in video_optimize.FLAGS.values() for name in group]
    assert len(names) == len(set(names))
    known = {name for group in GROUPS.values() for name in group}
    missing = {"content", "log", "preview_every", "checkpoint_every", "live", "depth"}
    missing |= {"live_port", "profile", "max_megapixels", "side", "memory"}
    assert known - set(names) == missing


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--frame-steps", 0), "frame_steps must be at least 1, got 0"),
        (("--steadiness", -1), "steadiness must be at least 0, got -1"),
        (("--style-masks", "m.png"), "--style-masks needs --masks"),
        (("--map", "m.png"), "give --map and --style-maps together"),
        (("--masks", "none.png"), "there is no file none.png"),
        (("--styles", "none.png"), "there is no file none.png"),
        (("--recipe", "x"), "there is no recipe x; there are default"),
        (("--size", 8), "size must be at least 16, got 8"),
        (("--strength", 2), "strength must be in 0..1"),
        (("--memory", "4GB"), "Unrecognized"),
        (("--memory", "4GB"), "run nst video --optimize --help"),
        (("--end", "0"), "must come after the start"),
    ],
)
def test_what_does_not_fit_is_refused(folder, capsys, flags, reason):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run(folder, *FLAGS, *flags, out="refused.mkv") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert reason in said
    assert "Traceback" not in said
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before


def test_a_film_or_a_painting_is_not_replaced_unasked(folder, capsys):
    for name in ("film.mkv", "night.png"):
        assert run(folder, *FLAGS, out=name) == 2
        assert f"{name} is an input" in capsys.readouterr().err


def test_a_painting_without_the_flag_and_the_flag_without_a_painting(folder, capsys):
    words = ["video", str(folder / "film.mkv"), "-o", str(folder / "no.mkv")]
    for more in (["--optimize"], [str(folder / "night.png")]):
        with pytest.raises(SystemExit) as left:
            cli.main([*words, *more])
        assert left.value.code == 2
    assert not (folder / "no.mkv").exists()
