"""KServe's version 2 protocol, with its binary extension."""

import json

import numpy as np
import pytest

from tests.helpers import scene
from tests.serving import FLAT, GOOD, decoded, encoded, psnr, refused, weights_of

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
    assert model["inputs"][1] == {"name": "style", "datatype": "FP32", "shape": [-1, 7]}
    assert http.get("/v2/models/gallery/ready").json()["ready"] is True
    refused(http.get("/v2/models/no"), 404, "there is no model no; there are gallery")
    refused(http.get("/v2/models/gallery/versions/4"), 404, "no version 4")


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
        {"name": "style", "datatype": "FP32", "shape": [1, 7], "data": GOOD},
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
        ([("image", "FP32", IMAGE), ("style", "FP32", STYLE[:, :6])], "[1, 7]"),
        ([("image", "FP32", IMAGE * np.nan), ("style", "FP32", STYLE)], "not finite"),
        ([("image", "BYTES", b"\xff\xff\xff\xff"), ("style", "FP32", STYLE)], "ends"),
    ],
)
def test_wrong_kserve_tensors_are_refused(http, arrays, message):
    refused(kserve(http, arrays), 400, message)


@pytest.mark.parametrize("length", ["-1", "99999999", "x", "0", ""])
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
