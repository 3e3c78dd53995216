"""Damaged requests to every route of one server.

A tenth of 3,000; with the variable NST_FUZZ=1 all of them.
"""

import base64
import gzip
import json
import os
import random
import re
import socket
import struct
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np

from tests.serving import encoded, serving

COUNT = round(3000 * float(os.environ.get("NST_FUZZ", "0.1")))
LONGEST = 10.0
"""Seconds within which every request must have its answer."""
ANSWERS = {200, 400, 404, 405, 408, 413, 415, 422, 503}
"""What a request may get; a head that is no HTTP may also get nothing but a close."""


def request(path, kind, body, *headers):
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def whole_requests():
    """Return one good request of every kind."""
    styles = [0, 0.5, 0.5, *[0] * 10]
    raw = [
        request("/stylize?style=udnie&size=48", f"image/{kind.lower()}", encoded(kind))
        for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
    ]
    form = b"--x\r\n" + b"\r\n--x\r\n".join(
        [
            b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n'
            b"Content-Type: image/png\r\n\r\n" + encoded(),
            b'Content-Disposition: form-data; name="mix"\r\n\r\nudnie=1,the_scream=2',
            b'Content-Disposition: form-data; name="strength"\r\n\r\n0.5',
        ]
    )
    raw.append(
        request("/stylize", "multipart/form-data; boundary=x", form + b"\r\n--x--")
    )
    image = np.round(np.full((1, 16, 16, 3), 0.5), 2)
    b64 = {"b64": base64.b64encode(encoded("JPEG")).decode()}
    for body in (
        {"instances": [{"image": image[0].tolist(), "style": styles}]},
        {
            "signature_name": "bytes",
            "inputs": {"image_bytes": [b64], "style": [styles]},
        },
    ):
        data = json.dumps(body).encode()
        raw.append(request("/v1/models/gallery:predict", "application/json", data))
    tensors = [
        ("image", image.astype("float32")),
        ("style", np.array([styles], "float32")),
    ]
    inputs = [
        {
            "name": name,
            "datatype": "FP32",
            "shape": value.shape,
            "parameters": {"binary_data_size": value.nbytes},
        }
        for name, value in tensors
    ]
    head = json.dumps({"inputs": inputs}).encode()
    body = head + b"".join(value.tobytes() for _, value in tensors)
    length = f"Inference-Header-Content-Length: {len(head)}"
    path = "/v2/models/gallery/infer"
    raw.append(request(path, "application/octet-stream", body, length))
    pair = encoded("PNG", 16, 16), encoded("JPEG", 32, 32)
    files = b"".join(len(data).to_bytes(4, "little") + data for data in pair)
    style = np.array([styles] * 2, "float32").tobytes()
    inputs = [
        {"name": "image", "datatype": "BYTES", "shape": [2]},
        {"name": "style", "datatype": "FP32", "shape": [2, len(styles)]},
    ]
    for entry, data in zip(inputs, (files, style), strict=True):
        entry["parameters"] = {"binary_data_size": len(data)}
    asked = {"inputs": inputs, "parameters": {"binary_data_output": True}}
    head = json.dumps(asked).encode()
    length = f"Inference-Header-Content-Length: {len(head)}"
    path = "/v2/models/gallery/versions/0/infer"
    raw.append(request(path, "application/octet-stream", head + files + style, length))
    packed = gzip.compress(encoded())
    coding = "Content-Encoding: gzip"
    raw.append(request("/stylize?style=udnie", "image/png", packed, coding))
    return raw + [read(path) for path in READ]


READ = [
    *("/", "/docs", "/page.js", "/scene.jpg", "/healthz", "/metrics", "/openapi.json"),
    *("/styles", "/styles/gallery/1/udnie.jpg"),
    *("/v1/models/gallery", "/v1/models/gallery/versions/0/metadata"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats"),
    *("/v2/models/gallery", "/v2/models/gallery/ready", "/v2/models/gallery/stats"),
    *("/v2/models/gallery/versions/1", "/v2/models/gallery/versions/1/stats"),
]
"""What is read, besides the routes that paint."""


def read(path):
    lines = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close"
    return f"{lines}\r\nAccept: */*\r\n\r\n".encode()


def mutated(data, draw):
    """Return a request damaged at one to eight places, more often in its head."""
    data = bytearray(data)
    head = data.index(b"\r\n\r\n")
    for _ in range(draw.randint(1, 8)):
        end = head if draw.random() < 0.3 else len(data)
        place = draw.randrange(max(1, min(end, len(data))))
        match draw.randrange(6):
            case 0:
                data[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                del data[place : place + draw.randint(1, 40)]
            case 2:
                data[place:place] = draw.randbytes(draw.randint(1, 20))
            case 3:
                data[place : place + 4] = struct.pack(
                    ">I", draw.choice([0, 2**31, 2**32 - 1])
                )
            case 4:
                data[place:place] = data[place : place + draw.randint(1, 200)]
            case 5:
                token = draw.choice(
                    [b"null", b"-1", b"1e999", b"[]", b"{", b'"', b"NaN", b"\0"]
                )
                data[place:place] = token
    return bytes(data)


def ask(port, data):
    """Return the status, None if the server only closed."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        answer = b""
        try:
            client.sendall(data)
            while block := client.recv(65536):
                answer += block
        except ConnectionError:
            pass  # It closed on a head that is no HTTP before all was sent.
        except TimeoutError:
            raise AssertionError(f"no answer to {data[:300]}") from None
    took = time.monotonic() - start
    assert took < LONGEST, f"{took:.1f} s for {data[:300]}"
    found = re.match(rb"HTTP/1\.1 (\d+)", answer)
    if found is None:
        assert answer == b""
        return None
    return int(found[1])


def test_damaged_requests_leave_the_server_healthy(tmp_path):
    draw = random.Random(5)
    good = whole_requests()
    with serving(tmp_path, "--deadline", "3", "--max-size", "64") as (process, where):
        port = int(where.rpartition(":")[2])
        # The picture of a style is painted once, which may take a slow machine longer.
        while httpx.get(f"{where}/styles/gallery/1/udnie.jpg").status_code == 503:
            time.sleep(0.1)
        before = [ask(port, data) for data in good]
        assert before == [200] * len(good)
        # Every route in turn, more often those that paint.
        painting = [data for data in good if data.startswith(b"POST")]
        damaged = [
            mutated(draw.choice(painting if n % 3 else good), draw)
            for n in range(COUNT)
        ]
        with ThreadPoolExecutor(8) as pool:
            found = Counter(pool.map(lambda data: ask(port, data), damaged))
        assert set(found) <= ANSWERS | {None}, found
        # The damage reaches every part: some still paint, most are refused by kind.
        assert {200, 400, 404, 415, 422} <= set(found), found
        assert process.poll() is None
        assert [ask(port, data) for data in good] == before
        metrics = httpx.get(f"{where}/metrics").text
        assert "nst_queue_waiting 0.0" in metrics
        assert "nst_workers_busy 0.0" in metrics
