"""Slow, impatient, greedy and many clients."""

import gzip
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from tests.serving import FLAT, GOOD, encoded, post, refused, serving


def connect(address):
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


HEAD = (
    "POST /stylize?style=udnie HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    "Content-Length: {}\r\n\r\n"
)


def test_an_upload_of_50_megabytes_is_refused_announced_or_not(http):
    block = bytes(1 << 20)

    def chunks():
        for _ in range(50):
            yield block

    headers = {"Content-Type": "image/png"}
    for content in (block * 50, chunks()):
        answer = http.post("/stylize?style=udnie", content=content, headers=headers)
        refused(answer, 413, "larger than 400,000 bytes")
    refused(http.post("/v1/models/gallery:predict", content=block), 413, "larger than")
    assert post(http, style="udnie").status_code == 200


PATHS = ["stylize?style=udnie", "v1/models/gallery:predict"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_packed_otherwise_than_by_gzip_is_refused(http, path):
    headers = {"Content-Encoding": "br", "Content-Type": "image/png"}
    answer = http.post(path, content=b"x", headers=headers)
    refused(answer, 415, "coding br")
    assert answer.headers["accept-encoding"] == "gzip, identity"


def test_a_gzip_body_is_what_it_unpacks_to(http):
    headers = {"Content-Encoding": "gzip", "Content-Type": "image/png"}
    path, data = PATHS[0], encoded()
    plain = http.post(path, content=data, headers={"Content-Type": "image/png"})
    for name in ("gzip", "GZip", "x-gzip"):
        packed = gzip.compress(data)
        headers["Content-Encoding"] = name
        assert http.post(path, content=packed, headers=headers).content == plain.content
    body = {"instances": [{"image": FLAT[0], "style": GOOD}]}
    packed = gzip.compress(json.dumps(body).encode())
    answer = http.post(PATHS[1], content=packed, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_gzip_body_is_no_way_around_the_limit(http, path):
    headers = {"Content-Encoding": "gzip", "Content-Type": "image/png"}
    whole = gzip.compress(encoded())
    for body, status, words in (
        (gzip.compress(bytes(400_001)), 413, "larger than 400,000 bytes"),
        (gzip.compress(bytes(200_000_000), 1), 413, "larger than 400,000 bytes"),
        (whole[:-9], 400, "ends too early"),
        (whole + b"x", 400, "goes on behind its end"),
        (gzip.compress(b"") * 1000, 400, "goes on behind its end"),
        (b"x" * 100, 400, "no gzip"),
        (b"", 400, "ends too early"),
    ):
        refused(http.post(path, content=body, headers=headers), status, words)


def test_the_time_of_a_batch_ends_and_frees_its_worker(tmp_path):
    # 2300 pictures of 48x48: more than two seconds of painting alone.
    count = 2300
    element = encoded("PNG", 48, 48)
    image = (len(element).to_bytes(4, "little") + element) * count
    style = np.tile(np.float32(GOOD), (count, 1)).tobytes()
    inputs = [
        {
            "name": name,
            "datatype": kind,
            "shape": shape,
            "parameters": {"binary_data_size": len(data)},
        }
        for name, kind, shape, data in (
            ("image", "BYTES", [count], image),
            ("style", "FP32", [count, len(GOOD)], style),
        )
    ]
    head = json.dumps({"inputs": inputs}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    flags = ("--workers", "1", "--threads", "1", "--deadline", "1")
    with (
        serving(tmp_path, *flags) as (_, where),
        httpx.Client(base_url=where, timeout=60) as client,
    ):
        path, start = "/v2/models/gallery/infer", time.monotonic()
        answer = client.post(path, content=head + image + style, headers=headers)
        refused(answer, 503, "no answer within 1 s")
        while "nst_workers_busy 0.0" not in client.get("/metrics").text:
            assert time.monotonic() - start < 10
            time.sleep(0.05)
        (model,) = client.get("/v2/models/gallery/stats").json()["model_stats"]
        assert 0 < model["inference_count"] < count
        assert model["inference_stats"]["fail"]["count"] == 1


def test_a_slow_upload_is_ended_at_the_deadline(tmp_path):
    with (
        serving(tmp_path, "--deadline", "1") as (_, where),
        connect(where) as slow,
    ):
        slow.sendall(HEAD.format(1000).encode() + b"\x89PNG")
        start = time.monotonic()
        answer = b"".join(iter(lambda: slow.recv(4000), b"")).decode()
        assert 0.5 < time.monotonic() - start < 10
        assert "408" in answer.splitlines()[0]
        assert "the upload took longer than 1 s" in answer
        assert httpx.get(f"{where}/healthz").status_code == 200


def test_a_head_that_never_ends_is_closed_at_the_deadline(tmp_path):
    with (
        serving(tmp_path, "--deadline", "1") as (_, where),
        connect(where) as slow,
    ):
        start = time.monotonic()
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        assert slow.recv(100) == b""
        assert 0.5 < time.monotonic() - start < 10
        assert httpx.get(f"{where}/healthz").status_code == 200


def test_clients_that_hang_up_leave_the_server_working(address, http):
    data = encoded(height=128, width=128)
    for sent in (data[:100], data):
        for _ in range(5):
            with connect(address) as client:
                client.sendall(HEAD.format(len(data)).encode() + sent)
    assert post(http, style="udnie").status_code == 200
    end = time.monotonic() + 30
    while "nst_workers_busy 0.0" not in http.get("/metrics").text:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "nst_queue_waiting 0.0" in http.get("/metrics").text


def test_a_full_queue_answers_503_with_retry_after(tmp_path):
    flags = ("--workers", "1", "--queue", "1", "--threads", "1")
    data = encoded("JPEG", 320, 320)
    with (
        serving(tmp_path, *flags) as (_, where),
        httpx.Client(base_url=where, timeout=60) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        work = [pool.submit(post, client, data, style="udnie") for _ in range(8)]
        answers = [future.result() for future in work]
        codes = [answer.status_code for answer in answers]
        assert set(codes) == {200, 503}
        assert codes.count(200) >= 2
        for answer in answers:
            if answer.status_code == 503:
                refused(answer, 503, "waiting already")
                assert int(answer.headers["retry-after"]) >= 1
        metrics = client.get("/metrics").text
        line = f'nst_requests_total{{route="/stylize",status="503"}} {codes.count(503)}'
        assert line in metrics


def test_an_answer_that_is_late_is_503(tmp_path):
    flags = ("--workers", "1", "--deadline", "0.2", "--threads", "1")
    with serving(tmp_path, *flags) as (_, where):
        with httpx.Client(base_url=where, timeout=60) as client:
            answer = post(client, encoded("JPEG", 1024, 768), style="udnie")
        refused(answer, 503, "no answer within 0.2 s")
