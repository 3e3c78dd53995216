"""Films as they are read: times, rotation, pixels that aren't square, damage."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from nst_tf.imaging.resize import resize
from nst_tf.imaging.scene import landscape
from nst_tf.settings.checks import InputError
from nst_tf.video.decode import FilmSource
from nst_tf.video.needs import shared_processor
from nst_tf.video.pictures import AnimationSource
from tests.films import BASE, TICK, damage, moving, write_film
from tests.serving import psnr


def test_times_are_the_files_own_with_a_variable_rate(tmp_path):
    times = [0, 400, 1500, 1600, 4000, 9000, 9100, 12800, 20000, 20001]
    path = write_film(tmp_path / "film.mp4", times=times)
    source = FilmSource(path)
    frames = list(source.frames())
    assert source.film.time_base == BASE
    assert [frame.pts for frame in frames] == times
    assert source.film.frames == len(times)


def test_a_film_has_the_size_rate_and_pixels_that_it_was_written_with(tmp_path):
    wanted = moving(10)
    source = FilmSource(write_film(tmp_path / "film.mkv", options={"crf": "10"}))
    film = source.film
    assert (film.width, film.height, film.frames) == (64, 48, 10)
    assert (film.rate, film.shape, film.deep, film.sound) == (25, 1, False, False)
    for frame, pixels in zip(source.frames(), wanted, strict=True):
        assert frame.pixels.dtype == np.float32
        # Half of the colour's resolution is lost, and noise with it.
        assert abs(frame.pixels - pixels).mean() < 0.04


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_film_is_read_upright(tmp_path, degrees, mirrored):
    plain = FilmSource(write_film(tmp_path / "plain.mp4"))
    options = {"rotation": degrees, "mirrored": mirrored}
    turned = FilmSource(write_film(tmp_path / "turned.mp4", **options))
    upright = [frame.pixels for frame in plain.frames()]
    for found, pixels in zip(turned.frames(), upright, strict=True):
        expected = np.rot90(pixels, degrees // 90)
        if mirrored:
            expected = expected[:, ::-1]
        assert found.pixels.shape == expected.shape
        assert abs(found.pixels - expected).mean() < 1e-3
    assert turned.film.width == (64 if degrees % 180 == 0 else 48)


def test_pixels_that_are_not_square_stay_so_and_turn_with_the_film(tmp_path):
    shape = Fraction(4, 3)
    wide = FilmSource(write_film(tmp_path / "wide.mp4", shape=shape))
    tall = FilmSource(write_film(tmp_path / "tall.mp4", shape=shape, rotation=90))
    assert wide.film.shape == shape
    assert tall.film.shape == 1 / shape


def test_ten_bits_and_colours_are_found(tmp_path):
    path = tmp_path / "deep.mkv"
    write_film(path, pixel_format="yuv420p10le", tags=(9, 1, 9, 16))
    film = FilmSource(path).film
    assert film.deep
    assert film.colors.matrix == 9
    assert (film.colors.primaries, film.colors.transfer) == (9, 16)


def test_a_part_of_a_film_is_read_from_start_to_end(tmp_path):
    path = write_film(tmp_path / "film.mp4", moving(50))
    source = FilmSource(path, start=0.5, end=1.0)
    times = [frame.pts for frame in source.frames()]
    assert times == [TICK * k for k in range(13, 25)]
    assert source.film.frames == len(times)
    assert [frame.pts for frame in source.frames(5)] == times[5:]
    assert source.cut() == {"shift": 13 * TICK * BASE, "end": 1.0}


@pytest.mark.parametrize("name", ["film.mp4", "film.ts", "film.h264"])
def test_a_start_is_found_where_a_format_has_no_index(tmp_path, name):
    options = {"g": "25", "preset": "ultrafast"}
    path = write_film(tmp_path / name, moving(300), options=options)
    whole = [frame.pixels for frame in FilmSource(path).frames()]
    for start in (0.5, 11.1):
        source = FilmSource(path, start=start, end=start + 0.5)
        found = [frame.pixels for frame in source.frames()]
        first = round(25 * start + 0.49)
        assert len(found) == source.film.frames
        assert (np.stack(found) == whole[first : first + len(found)]).all()
        assert len(found) in (12, 13)


def test_a_reduced_film_has_even_sides(tmp_path):
    source = FilmSource(write_film(tmp_path / "film.mp4"), size=35)
    assert (source.film.width, source.film.height) == (34, 26)
    assert next(source.frames()).pixels.shape == (26, 34, 3)


@pytest.mark.parametrize(
    ("rotation", "pixel_format"), [(0, "yuv420p"), (90, "yuv444p")]
)
def test_a_reduced_film_is_the_whole_one_made_smaller(tmp_path, rotation, pixel_format):
    frame = landscape(240, 320)
    path = write_film(
        tmp_path / "film.mkv",
        [frame],
        codec="ffv1",
        pixel_format=pixel_format,
        rotation=rotation,
    )
    whole = next(FilmSource(path).frames()).pixels
    source = FilmSource(path, size=96)
    found = next(source.frames()).pixels
    wanted = resize(whole, source.film.width, source.film.height)
    assert found.shape == wanted.shape
    assert found.shape[:2] == ((96, 72) if rotation else (72, 96))
    assert psnr(found, wanted) > 50  # Within half a step of 8 bits.


def test_a_film_that_changes_its_size_on_the_way_keeps_the_first(tmp_path):
    path = tmp_path / "film.ts"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for index, (height, width) in enumerate([(96, 160)] * 5 + [(48, 80)] * 5):
            if index == 5:
                out.mux(stream.encode(None))
                second = av.CodecContext.create("libx264", "w")
                second.width, second.height, second.pix_fmt = 80, 48, "yuv420p"
                second.time_base, second.framerate = stream.time_base, 25
            values = (255 * landscape(height, width)).astype("uint8")
            frame = av.VideoFrame.from_ndarray(values, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            if index < 5:
                out.mux(stream.encode(frame))
            else:
                packets = second.encode(frame)
                if index == 9:
                    packets += second.encode(None)
                for packet in packets:
                    packet.stream = stream
                    out.mux(packet)
    frames = [frame.pixels for frame in FilmSource(path).frames()]
    assert [frame.shape for frame in frames] == [(96, 160, 3)] * 10
    assert psnr(frames[-1], frames[0]) > 20


def cut_off(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_a_film_that_is_cut_off_is_refused(tmp_path, name):
    path = tmp_path / name
    write_film(path, moving(100), container={"movflags": "faststart"})
    with pytest.raises(InputError, match=r"is cut off|can't read"):
        FilmSource(cut_off(path, 0.6))


def test_a_place_that_can_not_be_decoded_is_passed_over_and_counted(tmp_path):
    path = tmp_path / "film.mkv"
    write_film(path, moving(20), codec="mjpeg", pixel_format="yuvj420p")
    whole = [frame.pts for frame in FilmSource(path).frames()]
    damage(path, 10)
    for start, first in ((0.0, 0), (0.2, 5)):
        source = FilmSource(path, start=start)
        found = [frame.pts for frame in source.frames()]
        assert found == [*whole[first:10], *whole[11:]]
        assert source.lost == 1


@pytest.mark.parametrize("ending", ["mpg", "ts"])
def test_files_that_were_joined_are_refused_with_what_mends_them(tmp_path, ending):
    path = tmp_path / f"film.{ending}"
    write_film(path, moving(20), sound="mp2")
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(InputError, match=r"go back after \d\.\d s.*ffmpeg -i"):
        FilmSource(path)


def test_an_animated_avif_is_a_film_and_a_still_one_a_picture(tmp_path):
    for count in (5, 1):
        path = tmp_path / f"{count}.avif"
        with shared_processor():
            write_film(path, moving(count, 64, 64), codec="libsvtav1")
        if count > 1:
            assert FilmSource(path).film.frames == len(list(FilmSource(path).frames()))
            assert FilmSource(path).film.frames == count
    with pytest.raises(InputError, match="is a picture; nst stylize"):
        FilmSource(path)


def test_a_film_whose_first_picture_is_damaged_begins_with_the_next(tmp_path):
    path = tmp_path / "film.mkv"
    write_film(path, moving(5), codec="mjpeg", pixel_format="yuvj420p")
    damage(path, 0)
    assert len(list(FilmSource(path).frames())) == 4


def test_a_film_that_begins_late_or_leaves_frames_out_is_whole(tmp_path):
    late = [12800 * 5 + TICK * k for k in range(10)]
    film = FilmSource(write_film(tmp_path / "late.mkv", times=late)).film
    assert film.frames == 10
    gaps = [TICK * k for k in (0, 1, 2, 6, 7, 12, 13, 14, 15, 16)]
    path = write_film(tmp_path / "gaps.avi", codec="mpeg4", times=gaps)
    source = FilmSource(path)
    assert [float(frame.pts * source.time_base) for frame in source.frames()] == [
        pytest.approx(float(k * BASE)) for k in gaps
    ]
    with pytest.raises(InputError, match="is cut off"):
        FilmSource(cut_off(path, 0.6))


def test_a_film_without_its_index_is_refused(tmp_path):
    path = cut_off(write_film(tmp_path / "film.mp4"), 0.9)
    with pytest.raises(InputError, match=r"can't read .*film\.mp4"):
        FilmSource(path)


@pytest.mark.parametrize("kind", [FilmSource, AnimationSource])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, kind):
    os.mkfifo(tmp_path / "film.gif")
    with pytest.raises(InputError, match="film is read more than once: save it first"):
        kind(tmp_path / "film.gif")


def test_a_start_behind_the_end_is_refused_with_where_that_is(tmp_path):
    path = write_film(tmp_path / "film.mp4")
    with pytest.raises(InputError, match=r"no frames from 7 s; it ends at 0\.4 s"):
        FilmSource(path, start=7)
