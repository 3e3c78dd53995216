"""A film from end to end: sound, times, parts, stopping and going on."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from nst_tf.imaging.animation import read_animation, save_animation
from nst_tf.imaging.read import load_image
from nst_tf.imaging.write import save_image, to_bytes
from nst_tf.settings.checks import InputError
from nst_tf.video.codecs import default_sound
from nst_tf.video.decode import FilmSource
from nst_tf.video.output import choose_output
from nst_tf.video.pictures import AnimationSource, SequenceSource, is_sequence
from nst_tf.video.pipeline import Behind, ahead
from nst_tf.video.run import paint_film, parts_folder
from tests.films import moving, packets, read_film, write_film


class Blend:
    """A painter that remembers: half of the frame and half of its last picture."""

    def __init__(self):
        self.last = None

    def __call__(self, pixels, seconds):
        self.last = pixels if self.last is None else 0.5 * (pixels + self.last)
        return self.last

    def state(self):
        return {"last": self.last}

    def restore(self, state):
        self.last = state["last"]


def paint(source, path, **options):
    """Paint a film; return how it ended and what was said."""
    said = []
    keys = ("codec", "crf", "shift", "end", "loop")
    chosen = {key: options.pop(key) for key in keys if key in options}
    copied = isinstance(source, FilmSource) and options.pop("sound", True)
    output = choose_output(path, source.film, copied=copied, say=said.append, **chosen)
    painter = options.pop("painter", Blend())
    return paint_film(source, painter, output, **options), said


def test_sound_is_copied_and_times_are_kept(tmp_path):
    times = [100, 612, 2000, 2100, 7000, 7512, 8024, 9000, 9512, 10024]
    path = write_film(tmp_path / "film.mp4", times=times, sound="aac")
    ended, said = paint(FilmSource(path), tmp_path / "out.mp4")
    assert (ended.frames, ended.reason, said) == (10, "finished", [])
    assert packets(tmp_path / "out.mp4", "audio") == packets(path, "audio")
    assert read_film(tmp_path / "out.mp4")[0] == read_film(path)[0]
    assert not parts_folder(tmp_path / "out.mp4").exists()


def test_what_is_painted_is_in_the_film(tmp_path):
    path = write_film(tmp_path / "film.mkv")
    paint(FilmSource(path), tmp_path / "out.mkv", codec="ffv1")
    painter = Blend()
    for frame, found in zip(
        FilmSource(path).frames(), read_film(tmp_path / "out.mkv")[1], strict=True
    ):
        expected = painter(frame.pixels, 0.0)
        assert abs(found / 255 - expected).mean() < 0.03


def test_pixel_shape_colours_and_metadata_stay_and_rotation_is_done(tmp_path):
    path = write_film(
        tmp_path / "film.mkv",
        rotation=90,
        shape=Fraction(4, 3),
        tags=(6, 2, 1, 13),
        chapters=("one", "two"),
    )
    paint(FilmSource(path), tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as out:
        stream = out.streams.video[0]
        frame = next(out.decode(stream))
        assert (stream.width, stream.height, frame.rotation) == (48, 64, 0)
        assert stream.sample_aspect_ratio == Fraction(3, 4)
        assert (frame.colorspace, frame.color_range) == (6, 2)
        assert (frame.color_primaries, frame.color_trc) == (1, 13)
        assert out.metadata["title"] == "A film"
        titles = [chapter["metadata"]["title"] for chapter in out.chapters()]
    assert titles == ["one", "two"]


def test_subtitles_are_copied_where_the_container_holds_them(tmp_path):
    texts = ((0.0, "Hello"), (0.2, "world"))
    path = write_film(tmp_path / "film.mkv", subtitles=texts)
    _, said = paint(FilmSource(path), tmp_path / "out.mkv")
    assert said == []
    assert packets(tmp_path / "out.mkv", "subtitles") == packets(path, "subtitles")


def test_sound_that_the_container_can_not_hold_is_encoded_anew_and_that_is_said(
    tmp_path,
):
    path = write_film(tmp_path / "film.mp4", moving(25), sound="aac")
    _, said = paint(FilmSource(path), tmp_path / "out.webm")
    assert said == [".webm can't hold sound in aac: encoded anew with libopus"]
    with av.open(str(tmp_path / "out.webm")) as out:
        heard = [frame.to_ndarray() for frame in out.decode(audio=0)]
    samples = np.concatenate(heard, axis=1)[0]
    with av.open(str(path)) as film:
        lasts = sum(frame.samples for frame in film.decode(audio=0)) / 44100
    assert abs(samples.size / 48000 - lasts) < 0.002  # To its end.
    spectrum = abs(np.fft.rfft(samples[4800:43200]))
    assert abs(spectrum.argmax() / 0.8 - 440) < 3


def test_sound_that_is_refused_only_when_it_is_written_is_encoded_anew(tmp_path):
    path = write_film(tmp_path / "film.mkv", sound="flac")
    _, said = paint(FilmSource(path), tmp_path / "out.mov")
    assert said == [".mov can't hold sound in flac: encoded anew with aac"]
    assert len(packets(tmp_path / "out.mov", "audio")) > 10


@pytest.mark.parametrize(
    ("rate", "ours"), [(6000, 7350), (44100, 44100), (192000, 96000)]
)
def test_sound_of_any_rate_can_be_encoded(rate, ours):
    assert default_sound(Path("out.mp4"), rate) == ("aac", ours)


@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_what_was_lost_on_the_air_ends_no_run(tmp_path, ending):
    path = write_film(tmp_path / "film.ts", moving(50), sound="aac")
    blocks = np.frombuffer(path.read_bytes(), "uint8").reshape(-1, 188)
    sound = [
        k for k, block in enumerate(blocks) if block[2] == 1 and block[1] & 31 == 1
    ]
    gone = sound[20:80:7]
    path.write_bytes(np.delete(blocks, gone, axis=0).tobytes())
    out = tmp_path / f"out.{ending}"
    source = FilmSource(path)
    ended, said = paint(source, out)
    assert ended.frames == 50
    assert "damaged packets of sound" in said[-1]
    last, given = (packets(file, "audio")[-1][0] for file in (out, path))
    assert abs(last - given) < 0.05


def test_sound_that_an_edit_list_leaves_out_is_not_heard(tmp_path):
    whole = write_film(tmp_path / "whole.mp4", moving(25), sound="aac")
    path = tmp_path / "film.mp4"
    with av.open(str(whole)) as given, av.open(str(path), "w") as out:
        copies = [out.add_stream_from_template(stream) for stream in given.streams]
        for packet in given.demux():
            if (
                packet.size
            ):  # What is before 0 is written, and left out by an edit list.
                packet.pts -= round(Fraction(1, 2) / packet.time_base)
                packet.dts -= round(Fraction(1, 2) / packet.time_base)
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
    source = FilmSource(path)
    paint(source, tmp_path / "out.mkv")
    times, _ = read_film(tmp_path / "out.mkv")
    wanted = [float(frame.pts * source.time_base) for frame in source.frames()]
    assert times[0] - wanted[0] < 0.06
    assert np.diff(times) == pytest.approx(np.diff(wanted), abs=2e-3)
    heard, known = (packets(file, "audio") for file in (tmp_path / "out.mkv", path))
    assert [data for _, data in heard] == [data for t, data in known if t >= -0.05]


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_what_an_animation_can_not_hold_is_said(tmp_path, ending):
    path = tmp_path / "film.mkv"
    write_film(path, subtitles=[(0.1, "word")], tags=(9, 1, 9, 16))
    out = tmp_path / ("%d.png" if ending == "png" else f"out.{ending}")
    _, said = paint(FilmSource(path), out)
    assert said == [
        f".{ending} can't hold subtitles: left out",
        f"{path} is in HDR, which .{ending} can't say: it will look dull",
    ]
    output = choose_output(out, FilmSource(path).film, mute=True, say=said.append)
    assert output.path == out
    assert len(said) == 3


def test_a_cover_and_a_timecode_that_are_left_out_are_named(tmp_path):
    path, size = tmp_path / "film.mp4", {"width": 64, "height": 48}
    with av.open(str(path), "w") as out:
        film = out.add_stream("libx264", rate=25, pix_fmt="yuv420p", **size)
        film.metadata["timecode"] = "01:00:00:00"
        cover = out.add_stream("png", rate=1, pix_fmt="rgb24", **size)
        cover.disposition = Disposition.attached_pic
        for stream in (film, cover):
            picture = av.VideoFrame.from_ndarray(to_bytes(moving(1)[0]), "rgb24")
            out.mux(stream.encode(picture))
            out.mux(stream.encode(None))
    _, said = paint(FilmSource(path), tmp_path / "out.mp4")
    assert sorted(said) == [f"{path}: left out {x}" for x in ("the cover", "timecode")]


def test_a_part_of_a_film_begins_at_0_with_its_sound(tmp_path):
    path = write_film(tmp_path / "film.mp4", moving(50), sound="aac")
    source = FilmSource(path, start=0.5, end=1.0)
    paint(source, tmp_path / "out.mp4", **source.cut())
    times, _ = read_film(tmp_path / "out.mp4")
    assert times == pytest.approx([k / 25 for k in range(12)])
    heard, given = (packets(tmp_path / f"{n}.mp4", "audio") for n in ("out", "film"))
    kept = [(t - 0.52, data) for t, data in given if 0.52 <= t < 1.0]
    assert [data for _, data in heard] == [data for _, data in kept]
    shifts = [t - s for (t, _), (s, _) in zip(heard, kept, strict=True)]
    assert abs(np.asarray(shifts)).max() < 1e-3


def test_a_part_of_a_film_has_what_is_in_it_of_subtitles_and_chapters(tmp_path):
    texts = [(0.1, "gone"), (0.4, "first"), (0.6, "within"), (0.9, "last"), (1.1, "-")]
    path = write_film(
        tmp_path / "film.mkv", moving(40), subtitles=texts, chapters=("a", "b", "c")
    )
    source = FilmSource(path, start=0.5, end=1.0)
    for name in ("out.mkv", "out.mp4"):
        paint(source, tmp_path / name, **source.cut())
    first = next(source.frames()).pts * source.time_base
    with av.open(str(tmp_path / "out.mkv")) as out:
        found = [
            (bytes(packet), packet.pts / 1000, packet.duration / 1000)
            for packet in out.demux(subtitles=0)
            if packet.size
        ]
        chapters = [chapter["metadata"]["title"] for chapter in out.chapters()]
    assert [text for text, _, _ in found] == [b"first", b"within", b"last"]
    expected = [(first, 0.6), (0.6, 0.8), (0.9, 1.0)]
    for (_, start, lasts), (begin, end) in zip(found, expected, strict=True):
        assert start == pytest.approx(begin - first, abs=2e-3)
        assert lasts == pytest.approx(end - begin, abs=2e-3)
    assert chapters == ["b"]
    for name in ("out.mkv", "out.mp4"):  # The last frame begins before the end.
        with av.open(str(tmp_path / name)) as out:
            assert out.duration / 1e6 == pytest.approx(1.0 - first, abs=0.05)


@pytest.mark.parametrize("codec", ["h264", "vp9"])
def test_a_run_that_goes_on_makes_the_film_of_an_unbroken_one(tmp_path, codec):
    source = FilmSource(write_film(tmp_path / "film.mp4", moving(30)))
    paint(source, tmp_path / "whole.mkv", codec=codec, part=8)

    class Killed(BaseException):
        pass

    def observer(count):
        if count == 19:
            raise Killed

    path = tmp_path / "out.mkv"
    with pytest.raises(Killed):
        paint(source, path, codec=codec, part=8, observer=observer)
    assert not path.exists()
    assert (parts_folder(path) / "state.npz").exists()
    seen = []
    ended, _ = paint(
        source, path, codec=codec, part=8, resume=True, observer=seen.append
    )
    assert ended.frames == 30
    assert seen[0] == 17
    assert packets(path, "video") == packets(tmp_path / "whole.mkv", "video")
    assert not parts_folder(path).exists()


def test_a_run_that_is_stopped_leaves_a_film_and_goes_on(tmp_path):
    source = FilmSource(write_film(tmp_path / "film.mp4", moving(20), sound="aac"))
    paint(source, tmp_path / "whole.mp4", part=8)
    path = tmp_path / "out.mp4"
    ended, _ = paint(source, path, part=8, observer=lambda count: count == 11)
    assert (ended.reason, ended.frames) == ("stopped", 11)
    assert len(read_film(path)[0]) == 11
    ended, _ = paint(source, path, part=8, resume=True)
    assert (ended.reason, ended.frames) == ("finished", 20)
    assert packets(path, "video") == packets(tmp_path / "whole.mp4", "video")


def test_a_run_does_not_go_on_with_the_parts_of_another(tmp_path):
    source = FilmSource(write_film(tmp_path / "film.mp4", moving(20)))
    path = tmp_path / "out.mp4"
    stop = {"part": 8, "observer": lambda count: count == 9}
    paint(source, path, identity={"style": "night"}, **stop)
    with pytest.raises(InputError, match="differs in style"):
        paint(source, path, identity={"style": "wave"}, part=8, resume=True)


@pytest.mark.parametrize(("ending", "name"), [("mp4", "state"), ("gif", "000000")])
def test_what_is_left_of_a_run_and_cut_off_is_an_error(tmp_path, ending, name):
    source = FilmSource(write_film(tmp_path / "film.mp4", moving(20)))
    path = tmp_path / f"out.{ending}"
    paint(source, path, part=8, observer=lambda count: count == 9)
    (left,) = tmp_path.rglob(f"{name}.npz")
    left.write_bytes(left.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"{name}.npz holds no"):
        paint(source, path, part=8, resume=True)


@pytest.mark.parametrize("side", [12_000, 30_000])
def test_an_animation_of_a_huge_screen_is_too_large(tmp_path, side):
    path = tmp_path / "huge.gif"
    frames = zip(moving(2), [40, 40], strict=True)
    save_animation(path, frames)
    data = bytearray(path.read_bytes())
    data[6:10] = side.to_bytes(2, "little") * 2  # The screen, before any frame.
    path.write_bytes(data)
    with pytest.raises(InputError, match="is too large"):
        read_animation(path)


def test_numbers_of_more_digits_than_two_are_no_pattern():
    assert is_sequence(Path("%05d.png"))
    assert not is_sequence(Path("%999999999d.png"))


def test_pictures_go_in_and_out_by_number(tmp_path):
    for index, pixels in enumerate(moving(5), 7):
        save_image(tmp_path / f"in{index:03}.png", pixels)
    source = SequenceSource(tmp_path / "in%03d.png", rate=Fraction(10))
    assert (source.film.frames, source.film.rate) == (5, 10)
    paint(source, tmp_path / "out%d.png", part=2)
    painter = Blend()
    for index, pixels in enumerate(moving(5), 1):
        found = load_image(tmp_path / f"out{index}.png").pixels
        assert abs(found - painter(pixels, 0.0)).max() < 0.01


def test_a_missing_number_and_another_size_are_refused(tmp_path):
    for index in (1, 2, 4):
        save_image(tmp_path / f"{index}.png", moving(1)[0])
    with pytest.raises(InputError, match=r"3\.png is missing among"):
        SequenceSource(tmp_path / "%d.png")
    save_image(tmp_path / "3.png", moving(1)[0][:40])
    with pytest.raises(InputError, match=r"3\.png has 64x40 pixels, the first"):
        list(SequenceSource(tmp_path / "%d.png").frames())


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_animations_keep_their_times(tmp_path, ending):
    shown = [40, 80, 300, 40]
    frames = zip(moving(4), shown, strict=True)
    save_animation(tmp_path / f"in{ending}", frames, loop=3)
    source = AnimationSource(tmp_path / f"in{ending}")
    assert [frame.duration for frame in source.frames()] == shown
    part = AnimationSource(tmp_path / f"in{ending}", start=0.04, end=0.2)
    times = [(frame.pts, frame.duration) for frame in part.frames()]
    assert times == [(0, 80), (80, 300)]
    paint(source, tmp_path / f"out{ending}", part=3, loop=source.loop)
    again = AnimationSource(tmp_path / f"out{ending}")
    assert [frame.duration for frame in again.frames()] == shown
    assert read_animation(tmp_path / f"out{ending}").loop == 3
    painter = Blend()
    for found, frame in zip(again.frames(), source.frames(), strict=True):
        assert abs(found.pixels - painter(frame.pixels, 0.0)).mean() < 0.05


@pytest.mark.parametrize(("ending", "loop"), [(".gif", None), (".webp", 1)])
def test_a_gif_that_is_shown_once_stays_one(tmp_path, ending, loop):
    frames = zip(moving(3), [40, 80, 40], strict=True)
    save_animation(tmp_path / "in.gif", frames, loop=None)
    source = AnimationSource(tmp_path / "in.gif")
    assert source.loop is None
    assert b"NETSCAPE" not in (tmp_path / "in.gif").read_bytes()
    paint(source, tmp_path / f"out{ending}", part=3, loop=source.loop)
    assert read_animation(tmp_path / f"out{ending}").loop == loop


def test_a_film_becomes_an_animation_by_its_own_times(tmp_path):
    times = [0, 512, 2560, 3072]
    path = write_film(tmp_path / "film.mkv", moving(4), times=times)
    paint(FilmSource(path), tmp_path / "out.gif", sound=False)
    shown = [frame.duration for frame in AnimationSource(tmp_path / "out.gif").frames()]
    assert shown[:3] == [40, 160, 40]


@pytest.mark.parametrize(("ending", "rate"), [("gif", 30), ("gif", 24), ("webp", 60)])
def test_an_animation_lasts_as_long_as_its_film(tmp_path, ending, rate):
    times = [round(12800 * k / rate) for k in range(48)]
    path = write_film(tmp_path / "film.mp4", moving(48), times=times)
    paint(FilmSource(path), tmp_path / f"out.{ending}", sound=False)
    found = [x.pts for x in AnimationSource(tmp_path / f"out.{ending}").frames()]
    expected = [1000 * k / rate for k in range(48)]
    assert abs(np.subtract(found, expected)).max() <= (5 if ending == "gif" else 1)


def test_what_a_stage_raises_reaches_who_waits_for_it():
    def items():
        yield 1
        raise InputError("broken")

    with ahead(items()) as found:
        assert next(found) == 1
        with pytest.raises(InputError, match="broken"):
            next(found)

    def work(item):
        raise InputError(f"no {item}")

    behind = Behind(work)
    behind.put(1)
    with pytest.raises(InputError, match="no 1"):
        behind.close()


def test_a_stage_never_runs_far_ahead():
    made = []

    def items():
        for index in range(100):
            made.append(index)
            yield index

    with ahead(items(), depth=2) as found:
        assert [next(found) for _ in range(3)] == [0, 1, 2]
        assert len(made) <= 3 + 2 + 2
