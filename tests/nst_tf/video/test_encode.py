"""Parts of a film, and what makes one film of them."""

import itertools
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from nst_tf.settings.checks import InputError
from nst_tf.video.codecs import CODECS, choose_encoding
from nst_tf.video.decode import FilmSource
from nst_tf.video.encode import Packets, PartEncoder, decoding_times
from tests.films import moving, write_film


@pytest.fixture
def source(tmp_path):
    return FilmSource(write_film(tmp_path / "film.mp4", moving(12)))


@pytest.mark.parametrize("codec", ["h264", "vp9", "av1", "hevc", "ffv1"])
def test_every_frame_becomes_a_packet_with_its_time(source, tmp_path, codec):
    if codec not in CODECS:
        pytest.skip(f"this FFmpeg has no {codec}")
    encoding = choose_encoding(tmp_path / "out.mkv", source.film, codec=codec)
    encoder = PartEncoder(source.film, encoding)
    frames = list(source.frames())
    for frame in frames:
        encoder.add(frame)
    packets = encoder.finish()
    assert sorted(packets.pts) == [frame.pts for frame in frames]
    assert packets.keys[0]
    path = tmp_path / "part.npz"
    packets.save(path)
    again = Packets.load(path)
    assert again.payloads() == packets.payloads()
    assert b"".join(again.payloads()) == packets.data.tobytes()


@pytest.mark.parametrize("codec", ["h264", "vp9"])
def test_the_same_frames_make_the_same_packets_beside_other_work(tmp_path, codec):
    source = FilmSource(write_film(tmp_path / "film.mp4", moving(30, 320, 176)))
    encoding = choose_encoding(tmp_path / "out.mkv", source.film, codec=codec)
    frames, ended = list(source.frames())[:8], threading.Event()
    for before, frame in itertools.pairwise(frames):  # Trails, as of a slow shutter.
        frame.pixels[:] = 0.5 * (frame.pixels + before.pixels)

    def work():
        while not ended.is_set():
            list(source.frames())

    def encode():
        encoder = PartEncoder(source.film, encoding)
        for frame in frames:
            encoder.add(frame)
        made.append(encoder.finish().payloads())

    made = []
    other = threading.Thread(target=work)
    other.start()
    try:
        for _ in range(8):
            encoder = threading.Thread(target=encode)
            encoder.start()
            encoder.join()
    finally:
        ended.set()
        other.join()
    assert [packets == made[0] for packets in made] == 8 * [True]


@pytest.mark.skipif(
    not hasattr(os, "sched_getscheduler"), reason="Linux tells how a thread is ranked"
)
@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_no_thread_goes_before_the_work_of_others(source, tmp_path, codec):
    encoding = choose_encoding(tmp_path / "out.mkv", source.film, codec=codec)
    encoder = PartEncoder(source.film, encoding)
    for frame in source.frames():
        encoder.add(frame)
    tasks = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    assert len(tasks) > 1
    assert {os.sched_getscheduler(task) for task in tasks} == {os.SCHED_OTHER}
    encoder.finish()


def test_pictures_are_decoded_in_order_and_before_they_are_shown():
    # Two parts as H.264 has them: key, then a picture that two others wait for.
    pts = np.asarray([0, 4, 2, 1, 3, 9, 30, 25, 11, 27])
    found = decoding_times(pts)
    assert (np.diff(found) > 0).all()
    assert (found <= pts).all()
    assert found[0] == -2


def test_without_waiting_pictures_they_are_decoded_when_they_are_shown():
    pts = np.asarray([5, 7, 20, 21])
    assert (decoding_times(pts) == pts).all()


def test_the_default_is_one_that_players_open_and_the_container_holds(source, tmp_path):
    for ending, encoder in ((".mp4", "libx264"), (".webm", "libvpx-vp9")):
        found = choose_encoding(tmp_path / f"out{ending}", source.film)
        assert (found.encoder, found.pixel_format) == (encoder, "yuv420p")


def test_ten_bits_stay_where_players_show_them(tmp_path):
    path = write_film(tmp_path / "deep.mkv", pixel_format="yuv420p10le")
    film = FilmSource(path).film
    out = tmp_path / "out.mkv"
    assert choose_encoding(out, film, codec="av1").pixel_format == "yuv420p10le"
    assert choose_encoding(out, film).pixel_format == "yuv420p"


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("out.mp4", {"codec": "av2"}, "no codec av2; there are h264"),
        ("out.webm", {"codec": "h264"}, r"\.webm can't hold h264; it holds vp9, av1"),
        ("out.mov", {"codec": "vp9"}, r"\.mov can't hold vp9; it holds h264, hevc"),
        ("out.mov", {"codec": "av1"}, r"\.mov can't hold av1; it holds h264, hevc"),
        ("out.mp4", {"crf": 52}, r"crf of h264 must be in 0\.\.51, got 52"),
        ("out.mkv", {"codec": "ffv1", "crf": 1}, "ffv1 is lossless"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(
    source, tmp_path, name, options, reason
):
    with pytest.raises(InputError, match=reason):
        choose_encoding(tmp_path / name, source.film, **options)


def test_a_codec_that_this_ffmpeg_lacks_is_refused_with_those_it_has(
    source, tmp_path, monkeypatch
):
    lacking = {**CODECS, "hevc": CODECS["hevc"]._replace(encoders=("libnothing",))}
    monkeypatch.setattr("nst_tf.video.codecs.CODECS", lacking)
    with pytest.raises(InputError, match=r"can't encode hevc; it can encode h264, vp9"):
        choose_encoding(tmp_path / "out.mp4", source.film, codec="hevc")


def test_odd_sides_are_refused_where_the_codec_needs_even_ones(tmp_path):
    frames = [x[:45, :51] for x in moving(3)]
    path = write_film(tmp_path / "odd.webm", frames, codec="libvpx-vp9")
    film = FilmSource(path).film
    with pytest.raises(InputError, match="51x45: take --codec vp9, or another size"):
        choose_encoding(tmp_path / "out.mp4", film)
    with pytest.raises(InputError, match=r"take an output in \.mp4 or \.mkv, or"):
        choose_encoding(tmp_path / "out.mov", film)
    assert choose_encoding(tmp_path / "out.webm", film).encoder == "libvpx-vp9"
