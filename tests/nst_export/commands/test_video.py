"""`nst video`: what it makes, what it refuses, what is left when it is broken off."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest

from nst_export.commands.video_run import FilmJob, identity_of, seconds_of
from nst_export.runtime import Stylizer, bundled, mix_weights
from nst_tf import cli
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image
from nst_tf.settings.checks import InputError
from nst_tf.video.decode import FilmSource
from nst_tf.video.run import parts_folder
from tests.films import damage, limited, moving, packets, read_film, tone, write_film
from tests.helpers import PYTHONPATH, scene

STYLE = ("--style", "udnie", "--quiet")


def run(*arguments):
    """Return the exit code, however the program hands it over."""
    try:
        return cli.main(["video", *map(str, arguments)])
    except SystemExit as left:
        return left.code


def program(*arguments):
    """Return the words and the environment of a process of its own."""
    words = [sys.executable, "-m", "nst_tf", "video", *map(str, arguments)]
    return words, {**os.environ, "PYTHONPATH": PYTHONPATH}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film of a second, with sound."""
    folder = tmp_path_factory.mktemp("film")
    return write_film(folder / "film.mp4", moving(25), sound="aac")


def test_a_film_is_painted_and_keeps_its_sound(film, tmp_path, stylizer):
    out = tmp_path / "out.mp4"
    assert run(film, *STYLE, "-o", out, "--frame-by-frame") == 0
    assert packets(out, "audio") == packets(film, "audio")
    times, pictures = read_film(out)
    assert times == read_film(film)[0]
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    for frame, found in zip(FilmSource(film).frames(), pictures, strict=True):
        painted = stylizer(frame.pixels, weights)
        # Nearer to the picture than to anything else; chroma has half the pixels.
        assert abs(found / 255 - painted).mean() < 0.05
    assert list(tmp_path.iterdir()) == [out]


def test_a_muted_film_keeps_its_title_and_chapters(tmp_path):
    film = write_film(tmp_path / "film.mkv", sound="aac", chapters=("one", "two"))
    out = tmp_path / "out.mkv"
    assert run(film, *STYLE, "--mute", "-o", out) == 0
    with av.open(str(out)) as found:
        assert [stream.type for stream in found.streams] == ["video"]
        assert found.metadata["title"] == "A film"
        titles = [chapter["metadata"]["title"] for chapter in found.chapters()]
    assert titles == ["one", "two"]


def test_a_damaged_film_is_painted_and_the_damage_said(tmp_path, capsys):
    film = tmp_path / "film.mkv"
    write_film(film, moving(6), codec="mjpeg", pixel_format="yuvj420p")
    damage(film, 3)
    out = tmp_path / "out.mkv"
    assert run(film, "--style", "udnie", "-o", out) == 0
    assert "film.mkv is damaged: passed over 1 place\n" in capsys.readouterr().err
    assert len(read_film(out)[1]) == 5


def test_strength_0_is_the_film(film, tmp_path):
    out = tmp_path / "out.mp4"
    assert run(film, *STYLE, "-o", out, "--strength", 0, "--crf", 10) == 0
    for one, other in zip(read_film(out)[1], read_film(film)[1], strict=True):
        assert abs(one.astype(int) - other).mean() < 8  # Chroma has half the pixels.


def test_a_run_says_how_it_goes_and_what_it_made(film, tmp_path, capsys):
    out = tmp_path / "out.webm"
    assert run(film, "--style", "udnie", "-o", out, "--end", "0.2", "--size", 32) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}: 5 frames in ")
    assert "32x24, 5 frames, 25 fps" in said.err
    assert "encoded anew with libopus" in said.err
    assert "5/5" in said.err


def test_a_run_that_is_killed_goes_on_and_makes_the_same_frames(tmp_path):
    film = write_film(tmp_path / "film.mp4", moving(600, 64, 48), sound="aac")
    # Not x264, whose packets of small frames differ from run to run.
    flags = (film, *STYLE, "--threads", 1, "--codec", "ffv1", "-o")
    assert run(*flags, tmp_path / "whole.mkv") == 0
    out = tmp_path / "out.mkv"
    words, environment = program(*flags, out)
    state = parts_folder(out) / "state.npz"
    with subprocess.Popen(words, env=environment) as process:
        for _ in range(6000):
            if state.exists() or process.poll() is not None:
                break
            time.sleep(0.01)
        time.sleep(float(np.random.default_rng().random()) / 4)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    assert state.exists()
    assert run(*flags, out) == 2  # It is not lost without being asked.
    assert run(*flags, out, "--resume") == 0
    for kind in ("video", "audio"):
        assert packets(out, kind) == packets(tmp_path / "whole.mkv", kind)
    # Matroska has no times below 0, where AAC begins.
    sound, theirs = ([data for _, data in packets(x, "audio")] for x in (out, film))
    assert sound == theirs
    assert not state.exists()


def test_large_frames_are_drafted_unless_it_is_one_pass(tmp_path, stylizer):
    frame = scene(96, 160)
    save_image(tmp_path / "in001.png", frame)
    save_image(tmp_path / "in002.png", frame)
    film = load_image(tmp_path / "in001.png").pixels
    weights = mix_weights(stylizer.styles, {"udnie": 1.0})
    for flag, draft in (("48", 48), ("None", None), ("512", None)):
        name = f"{flag}-%d.png"
        words = (tmp_path / "in%03d.png", *STYLE, "--draft", flag)
        assert run(*words, "-o", tmp_path / name) == 0
        expected = stylizer(film, weights, draft=draft)
        found = load_image(tmp_path / (name % 2)).pixels
        assert abs(found - expected).mean() < 0.01
    assert abs(found - load_image(tmp_path / "48-2.png").pixels).mean() > 0.03


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_hevc_has_the_tag_that_apples_players_want(film, tmp_path, name):
    out = tmp_path / name
    assert run(film, *STYLE, "--codec", "hevc", "--end", "0.2", "-o", out) == 0
    with av.open(str(out)) as made:
        assert made.streams.video[0].codec_context.codec_tag == "hvc1"
    assert len(read_film(out)[1]) == 5


def test_an_interrupted_run_leaves_a_film_that_plays(tmp_path):
    film = write_film(tmp_path / "film.mp4", moving(300, 64, 48), sound="aac")
    out = tmp_path / "out.mp4"
    words, environment = program(film, *STYLE, "-o", out)
    with subprocess.Popen(
        words, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(6000):
            if parts_folder(out).exists() or process.poll() is not None:
                break
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert f"stopped: {out} holds " in said
    times, _ = read_film(out)
    assert 0 < len(times) < 300
    assert times == read_film(film)[0][: len(times)]


# Bad input.


def no_video(folder):
    path = folder / "in.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        voice = out.add_stream("aac", rate=44100, layout="mono")
        block = av.AudioFrame.from_ndarray(tone(4096), "fltp", "mono")
        block.sample_rate, block.pts = 44100, 0
        out.mux(voice.encode(block))
        out.mux(voice.encode(None))
    return path


def truncated(folder):
    path = write_film(folder / "in.mp4", container={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return path


def no_frames(folder):
    path = folder / "in.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height = 64, 48
        out.start_encoding()
    return path


def picture(folder, name="in.png"):
    save_image(folder / name, scene(48, 64))
    return folder / name


def text(folder):
    path = folder / "in.mp4"
    path.write_text("This is no film.\n" * 100)
    return path


def empty(folder):
    path = folder / "in.mp4"
    path.touch()
    return path


def odd(folder):
    wide = moving(3, 178, 100)
    frames = [x[:99, :177] for x in wide]
    return write_film(folder / "in.webm", frames, codec="libvpx-vp9")


def tiny(folder):
    return write_film(folder / "in.mp4", [x[:8, :8] for x in moving(3)])


BAD = {
    "no video": (no_video, (), "holds no video"),
    "truncated": (truncated, (), r"cut off|can't read"),
    "no frames": (no_frames, (), "no frames|can't read"),
    "a picture": (picture, (), "is a picture; nst stylize paints pictures"),
    "a WebP picture": (
        lambda folder: picture(folder, "in.webp"),
        (),
        "is a picture; nst stylize paints pictures",
    ),
    "text": (text, (), "can't read"),
    "empty": (empty, (), "is empty"),
    "missing": (lambda folder: folder / "in.mp4", (), "there is no file"),
    "missing pictures": (lambda folder: folder / "%d.png", (), "there are no pictures"),
    "a folder": (lambda folder: folder, (), "is a folder"),
    "odd sides": (odd, (), "needs even sides, and .* has 177x99"),
    "tiny": (tiny, (), "8x8 pixels; the short side must have at least 16"),
}
"""What writes the input, flags, and what the refusal says."""


def below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(capsys, film, out, *flags):
    """Run what must be refused; return what it says."""
    before = below(out.parent)
    assert run(film, *STYLE, *flags, "-o", out) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.count("error") == 1
    assert below(out.parent) == before
    return " ".join(said.err.split())


@pytest.mark.parametrize("case", BAD)
def test_an_input_that_is_no_film_is_refused_in_a_line(case, tmp_path, capsys):
    write, flags, reason = BAD[case]
    film = write(tmp_path)
    said = refused(capsys, film, tmp_path / "out.mp4", *flags)
    assert re.search(reason, said), said
    assert said.startswith("nst: error: ")


@pytest.mark.parametrize(
    ("flags", "name", "reason"),
    [
        (("--codec", "av2"), "out.mp4", "there is no codec av2; there are h264"),
        (("--codec", "h264"), "out.webm", ".webm can't hold h264"),
        ((), "out.gif", "can't hold the sound of"),
        ((), "%03d.png", "can't hold the sound of"),
        ((), "out", "must end in one of .mp4"),
        (("--mute",), "out.avi", "must end in one of .mp4"),
        (("--mute",), "out", "must end in one of .mp4"),
        (("--mute",), "%d.%d.png", "needs one number"),
        (("--crf", "99"), "out.mp4", "crf of h264 must be in 0..51, got 99"),
        (("--mute", "--crf", "9"), "out.gif", "--codec and --crf are for films"),
        (("--start", "2"), "out.mp4", "no frames from 2 s; it ends at 1.0 s"),
        (("--start", "x"), "out.mp4", "a time is seconds, M:SS or H:MM:SS"),
        (("--start", "1", "--end", "0:01"), "out.mp4", "must come after the start"),
        (("--fps", "0"), "out.mp4", "fps must be in 0.001..1000, got 0"),
        (("--fps", "5"), "out.mp4", "--fps is for numbered pictures"),
        (("--size", "8"), "out.mp4", "size must be at least 16, got 8"),
        (("--draft", "8"), "out.mp4", "draft must be at least 16, got 8"),
        (("--strength", "2"), "out.mp4", "strength must be in 0..1.5, got 2"),
        (("--engine", "openvino"), "out.mp4", "openvino paints every frame alone"),
        (("--engine", "openvino"), "out.mp4", "or a .tflite without --engine"),
        (("--model", "none.tflite"), "out.mp4", "there is no model none.tflite"),
    ],
)
def test_a_flag_that_does_not_fit_is_refused(
    film, tmp_path, capsys, flags, name, reason
):
    assert reason in refused(capsys, film, tmp_path / name, *flags)


def test_numbered_pictures_are_not_replaced_unasked(tmp_path, capsys):
    for number, pixels in enumerate(moving(3), 1):
        save_image(tmp_path / f"{number}.png", pixels)
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    pattern = tmp_path / "%d.png"
    for flags in ((), ("--start", "0.05")):  # What is not painted is wanted, too.
        said = refused(capsys, pattern, tmp_path / "%01d.png", *flags)
        assert "1.png is an input" in said
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before
    # Half of it could not be gone on with.
    assert run(pattern, *STYLE, "--overwrite", "-o", pattern) == 2
    capsys.readouterr()
    painting = tmp_path / "out" / "2.png"
    painting.parent.mkdir()
    painting.write_bytes(before[0])
    words = ("--painting", painting, "-o", painting.with_name("%d.png"))
    assert run(pattern, *words) == 2
    assert f"{painting} is an input" in " ".join(capsys.readouterr().err.split())
    assert painting.read_bytes() == before[0]


def test_pictures_of_an_earlier_film_that_follow_are_named(tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    for number, pixels in enumerate(moving(3), 1):
        for place in (folder, out):
            place.mkdir(exist_ok=True)
            save_image(place / f"{number + (place == out)}.png", pixels)
    words = (folder / "%d.png", "--style", "udnie", "-o", out / "%d.png")
    assert run(*words, "--end", "0.07") == 0
    said = capsys.readouterr().err
    assert f"2 older pictures follow, from {out / '3.png'}" in said
    assert run(*words, "--fps", "30") == 0
    assert f"1 older pictures follow, from {out / '4.png'}" in capsys.readouterr().err


def test_a_film_in_its_own_place_stays_until_it_is_painted(tmp_path):
    film = write_film(tmp_path / "film.mp4", moving(400, 64, 48))
    before = film.read_bytes()
    words, environment = program(film, *STYLE, "--overwrite", "-o", film)
    state = parts_folder(film) / "state.npz"
    with subprocess.Popen(
        words, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(6000):
            if state.exists() or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said.endswith(f"stopped: {film} is as it was; add --resume to go on\n")
    assert film.read_bytes() == before
    assert run(film, *STYLE, "--overwrite", "-o", film, "--resume") == 0
    assert len(read_film(film)[1]) == 400
    assert not state.parent.exists()


def test_pictures_of_another_folder_are_another_film(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number, pixels in enumerate(moving(3), 1):
            save_image(tmp_path / name / f"{number}.png", pixels)
    job = FilmJob(film=tmp_path / "a" / "%d.png", output=tmp_path / "%d.png")
    other = dataclasses.replace(job, film=tmp_path / "b" / "%d.png")
    assert identity_of(job) == identity_of(job)
    assert identity_of(job) != identity_of(other)
    save_image(tmp_path / "a" / "4.png", moving(1)[0])
    longer = identity_of(job)
    (tmp_path / "a" / "4.png").unlink()
    assert identity_of(job) != longer


def test_an_unknown_style_is_refused_with_the_known_ones(film, tmp_path, capsys):
    assert run(film, "--style", "udne", "-o", tmp_path / "out.mp4") == 2
    assert "did you mean udnie?" in capsys.readouterr().err
    assert run(film, "-o", tmp_path / "out.mp4") == 2
    assert "the styles are starry_night" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [200, 6000])
def test_a_full_disk_leaves_nothing_half_written(film, tmp_path, size):
    out = tmp_path / "out.mp4"
    words, environment = program(film, *STYLE, "-o", out)
    ended = limited(words, size, env=environment)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("nst: error: can't write ") == 1
    assert list(tmp_path.iterdir()) == []


def test_times_are_read_in_three_forms():
    assert [seconds_of(x) for x in ("12.5", "1:02", "1:02:03.5")] == [12.5, 62, 3723.5]
    for wrong in ("", "x", "1:2:3:4", "-1", "nan"):
        with pytest.raises(InputError, match="a time is"):
            seconds_of(wrong)


def test_the_gallery_has_the_file_that_films_need():
    assert Stylizer.load(bundled()).tile_session is not None
