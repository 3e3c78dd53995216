"""KServe's version 2 protocol, with its binary extension."""

import json
import time

import numpy as np
import pytest

from nst_export.server.errors import HttpError
from nst_export.server.protocols.kserve import read_inputs
from tests.helpers import scene
from tests.serving import (
    FLAT,
    GOOD,
    decoded,
    encoded,
    post,
    psnr,
    refused,
    weights_of,
)

STYLE = np.asarray([GOOD], "float32")
IMAGE = np.full((1, 16, 16, 3), 0.5, "float32")


def kserve(http, arrays, *, binary_output=True, **more):
    """Send a request as the protocol's binary extension writes it."""
    inputs, tail = [], b""
    for name, datatype, array in arrays:
        data = array if isinstance(array, bytes) else array.tobytes()
        shape = [1] if isinstance(array, bytes) else list(array.shape)
        size = {"binary_data_size": len(data)}
        inputs.append(
            {"name": name, "datatype": datatype, "shape": shape, "parameters": size}
        )
        tail += data
    outputs = [{"name": "picture", "parameters": {"binary_data": binary_output}}]
    head = json.dumps({"id": "seven", "inputs": inputs, "outputs": outputs, **more})
    headers = {"Inference-Header-Content-Length": str(len(head))}
    url = "/v2/models/gallery/infer"
    return http.post(url, content=head.encode() + tail, headers=headers)


def unpack(answer):
    size = int(answer.headers["inference-header-content-length"])
    return json.loads(answer.content[:size]), answer.content[size:]


def test_kserve_tells_server_and_model(http):
    assert "binary_tensor_data" in http.get("/v2").json()["extensions"]
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}
    model = http.get("/v2/models/gallery/versions/1").json()
    shape = [-1, len(GOOD)]
    assert model["inputs"][1] == {"name": "style", "datatype": "FP32", "shape": shape}
    assert http.get("/v2/models/gallery/ready").json()["ready"] is True
    refused(http.get("/v2/models/no"), 404, "there is no model no; there are gallery")
    refused(http.get("/v2/models/gallery/versions/4"), 404, "no version 4")
    # The newest, as clients of OpenVINO Model Server ask for it.
    assert http.get("/v2/models/gallery/versions/0").json() == model


def test_bytes_are_read_in_the_time_of_their_length():
    # Once 16 s of a worker for 2 MB of zeros; and 4 times that for twice as many.
    tail = memoryview(bytes(20_000_000))
    size = {"binary_data_size": len(tail)}
    start = time.perf_counter()
    for count in (1, 1_000_000, 5_000_000, 2**30):
        entry = {"name": "image", "datatype": "BYTES", "shape": [count]}
        with pytest.raises(HttpError):
            read_inputs({"inputs": [{**entry, "parameters": size}]}, tail)
    # Elements that are there, as many as may be: one pass.
    element = (16).to_bytes(4, "little") + bytes(16)
    tail = memoryview(element * 500_000)
    entry |= {"shape": [500_000], "parameters": {"binary_data_size": len(tail)}}
    style = {"name": "style", "datatype": "FP32", "shape": [1], "data": [1.0]}
    found = read_inputs({"inputs": [entry, style]}, tail)
    assert found["image"][1] == [bytes(16)] * 500_000
    assert time.perf_counter() - start < 20


def test_the_statistics_count_what_was_asked(http):
    def counts():
        (model,) = http.get("/v2/models/gallery/stats").json()["model_stats"]
        return model

    before = counts()
    assert before["version"] == "1"
    arrays = [
        ("image", "FP32", np.repeat(IMAGE, 2, 0)),
        ("style", "FP32", np.repeat(STYLE, 2, 0)),
    ]
    assert kserve(http, arrays).status_code == 200
    refused(kserve(http, arrays[:1]), 400)
    assert post(http, style="udnie").status_code == 200
    after = counts()
    same, other = http.get("/v2/models/stats").json()["model_stats"]
    assert same == after
    assert other["name"] == "any"

    def grown(*keys):
        old, new = before, after
        for key in keys:
            old, new = old[key], new[key]
        return new - old

    assert grown("inference_count") == 3
    assert grown("execution_count") == 2
    for key, many in (("success", 2), ("fail", 1), ("queue", 2), ("compute_infer", 2)):
        assert grown("inference_stats", key, "count") == many
    assert grown("inference_stats", "compute_infer", "ns") > 1e6
    assert after["last_inference"] / 1e3 == pytest.approx(time.time(), abs=60)
    refused(http.get("/v2/models/no/stats"), 404, "no model no")


def test_kserve_takes_and_gives_binary_tensors(http, stylizer):
    image, weights = scene(20, 24), weights_of(stylizer, udnie=1.0)
    style = np.asarray([weights], "float32")
    expected = stylizer(image, weights)
    sent = [("image", "FP32", image[None]), ("style", "FP32", style)]
    head, data = unpack(kserve(http, sent))
    assert head["id"] == "seven"
    assert head["model_name"] == "gallery"
    (output,) = head["outputs"]
    assert (output["name"], output["datatype"]) == ("picture", "FP32")
    found = np.frombuffer(data, "<f4").reshape(output["shape"])
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    answer = kserve(http, sent, binary_output=False).json()
    (output,) = answer["outputs"]
    found = np.reshape(output["data"], output["shape"])
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    bytes_ = np.rint(255 * image).astype("uint8")
    sent = [("image", "UINT8", bytes_[None]), ("style", "FP32", style)]
    head, data = unpack(kserve(http, sent))
    found = np.frombuffer(data, "uint8").reshape(head["outputs"][0]["shape"])
    assert psnr(found[0] / 255, stylizer(bytes_ / np.float32(255), weights)) > 55


def test_kserve_takes_and_gives_files_as_bytes(http, stylizer):
    data, weights = encoded(), weights_of(stylizer, udnie=1.0)
    element = len(data).to_bytes(4, "little") + data
    style = np.asarray([weights], "float32")
    head, tail = unpack(
        kserve(http, [("image", "BYTES", element), ("style", "FP32", style)])
    )
    assert head["outputs"][0]["datatype"] == "BYTES"
    assert int.from_bytes(tail[:4], "little") == len(tail) - 4
    expected = stylizer(decoded(data), weights)
    assert np.abs(decoded(tail[4:]) - expected).max() < 0.5 / 255 + 1e-3


def test_kserve_takes_plain_json(http, stylizer):
    inputs = [
        {
            "name": "image",
            "datatype": "FP32",
            "shape": [1, 16, 16, 3],
            "data": FLAT,
        },
        {"name": "style", "datatype": "FP32", "shape": [1, len(GOOD)], "data": GOOD},
    ]
    answer = http.post("/v2/models/gallery/infer", json={"inputs": inputs}).json()
    assert answer["outputs"][0]["shape"] == [1, 16, 16, 3]
    expected = stylizer(np.full((16, 16, 3), 0.5, "float32"), GOOD)
    found = np.reshape(answer["outputs"][0]["data"], (16, 16, 3))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([("image", "FP32", IMAGE)], "image and style are needed"),
        ([("photo", "FP32", IMAGE)], "inputs are image and style, got 'photo'"),
        ([("image", "INT64", IMAGE)], "image takes FP32 or UINT8 or BYTES"),
        ([("image", "FP32", IMAGE[:, :, :8]), ("style", "FP32", STYLE)], "16..256"),
        ([("image", "FP32", IMAGE), ("style", "FP32", STYLE[:, :6])], "[1, 13]"),
        ([("image", "FP32", IMAGE * np.nan), ("style", "FP32", STYLE)], "not finite"),
        ([("image", "BYTES", b"\xff" * 40), ("style", "FP32", STYLE)], "ends within"),
        (
            [("image", "BYTES", b"\xff" * 4), ("style", "FP32", STYLE)],
            "elements of [1]",
        ),
        ([("image", "BYTES", bytes(40)), ("style", "FP32", STYLE)], "an empty one"),
        (
            [("image", "BYTES", b"\1\0\0\0" + bytes(40)), ("style", "FP32", STYLE)],
            "39 bytes behind the elements of [1]",
        ),
    ],
)
def test_wrong_kserve_tensors_are_refused(http, arrays, message):
    refused(kserve(http, arrays), 400, message)


@pytest.mark.parametrize("length", ["-1", "9" * 8, "9" * 5000, "x", "0", ""])
def test_a_wrong_length_of_the_json_is_refused(http, length):
    headers = {"Inference-Header-Content-Length": length}
    url = "/v2/models/gallery/infer"
    refused(http.post(url, content=b"{}", headers=headers), 400)


def test_kserve_gives_binary_tensors_as_tritons_client_asks_for_them(http):
    # Without outputs, but with a parameter of the whole request.
    arrays = [("image", "FP32", IMAGE), ("style", "FP32", STYLE)]
    answer = kserve(http, arrays, outputs=None, parameters={"binary_data_output": True})
    head, data = unpack(answer)
    assert head["outputs"][0]["parameters"] == {"binary_data_size": len(data)}
    assert len(data) == 4 * IMAGE.size


def test_a_shape_that_the_data_do_not_have_is_refused(http):
    for shape in ([1, 16, 16, 4], [2**31 - 1] * 4, [0], [-1, 16], "x", [1.5]):
        entry = {"name": "image", "datatype": "FP32", "shape": shape, "data": FLAT}
        answer = http.post("/v2/models/gallery/infer", json={"inputs": [entry]})
        refused(answer, 400)
