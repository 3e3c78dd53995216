"""`nst serve`: a real server on loopback, what it answers and what it refuses."""

import base64
import io
import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from nst_export.runtime.mix import mix_weights
from nst_export.runtime.stylizer import Stylizer, bundled
from nst_export.server.settings import ServeSettings
from nst_tf.cli import main
from nst_tf.imaging.color import keep_colors
from nst_tf.settings.checks import InputError
from tests.helpers import ROOT, scene
from tests.serving import bomb, decoded, encoded, psnr, serving

LIMITS = ("--max-bytes", "400000", "--max-size", "256", "--deadline", "20")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("serve"), *LIMITS) as (_, where):
        yield where


@pytest.fixture(scope="module")
def http(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer.load(bundled())


def post(http, image=None, *, kind="image/png", **fields):
    """Send a form."""
    image = encoded() if image is None else image
    files = {"image": ("../../etc/passwd", image, kind)}
    return http.post("/stylize", files=files, data=fields)


def refused(response, status, *words):
    """Check an error's status and words."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    for word in words:
        assert word in response.json()["error"]


def weights_of(stylizer, strength=1.0, **mix):
    return mix_weights(stylizer.styles, mix, strength=strength)


# Pictures.


def test_a_picture_is_what_the_runtime_paints(http, stylizer):
    photo = decoded(encoded(height=50, width=67))
    answer = post(http, encoded(height=50, width=67), style="udnie")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    expected = stylizer(photo, weights_of(stylizer, udnie=1.0))
    assert np.abs(decoded(answer.content) - expected).max() < 0.5 / 255 + 1e-3
    steps = [part.split(";")[0] for part in answer.headers["server-timing"].split(", ")]
    assert steps == ["queue", "decode", "paint", "encode"]


def test_mix_strength_size_and_kept_colours_arrive(http, stylizer):
    data = encoded(height=60, width=80)
    answer = post(
        http,
        data,
        mix="udnie=1,the_scream=3",
        strength="0.5",
        size="80",
        keep_colors="true",
    )
    photo = decoded(data)
    mix = weights_of(stylizer, 0.5, udnie=0.25, the_scream=0.75)
    expected = keep_colors(stylizer(photo, mix), photo)
    assert np.abs(decoded(answer.content) - expected).max() < 0.5 / 255 + 1e-3
    assert decoded(post(http, data, style="udnie", size="40").content).shape[:2] == (
        30,
        40,
    )


def test_the_whole_body_may_be_the_photograph(http):
    data = encoded()
    form = post(http, data, style="great_wave")
    raw = http.post(
        "/stylize",
        params={"style": "great_wave"},
        content=data,
        headers={"Content-Type": "image/png"},
    )
    assert raw.content == form.content


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "png")],
)
def test_the_answer_has_the_photographs_format_or_the_one_asked_for(
    http, kind, expected
):
    data = encoded(kind)
    answer = post(http, data, style="udnie")
    assert answer.headers["content-type"] == f"image/{expected}"
    other = post(http, data, style="udnie", format="webp")
    assert other.headers["content-type"] == "image/webp"
    assert decoded(other.content).shape == (48, 64, 3)


def test_alpha_is_kept_and_large_photographs_are_reduced(http):
    rgba = np.uint8(255 * np.dstack([scene(40, 60), np.full((40, 60), 0.5)]))
    stream = io.BytesIO()
    Image.fromarray(rgba).save(stream, "PNG")
    picture = decoded(post(http, stream.getvalue(), style="udnie").content)
    assert picture.shape == (40, 60, 4)
    assert np.abs(picture[..., 3] - 0.5).max() < 0.01
    large = post(http, encoded("JPEG", 300, 600), style="udnie")
    assert decoded(large.content).shape == (128, 256, 3)


def test_styles_are_listed_with_credit_and_thumbnail(http, stylizer):
    found = http.get("/styles").json()
    assert found["limits"]["max_size"] == 256
    (model,) = found["models"]
    assert [style["name"] for style in model["styles"]] == stylizer.styles
    assert model["styles"][0]["credit"].startswith("Vincent van Gogh")
    pictures = set()
    for style in model["styles"]:
        answer = http.get(f"/{style['thumbnail']}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert decoded(answer.content).shape == (192, 288, 3)
        pictures.add(answer.content)
    assert len(pictures) == 6
    assert pictures == {http.get(f"/{s['thumbnail']}").content for s in model["styles"]}
    refused(http.get("/styles/gallery/1/no.jpg"), 404, "no style no")
    refused(http.get("/styles/gallery/9/udnie.jpg"), 404)


# TensorFlow Serving, as https://www.tensorflow.org/tfx/serving/api_rest writes it.


def test_tensorflow_serving_requests_in_rows_and_columns(http, stylizer):
    image, style = scene(20, 24), weights_of(stylizer, udnie=1.0)
    expected = stylizer(image, style)
    row = {"image": image.tolist(), "style": style}
    body = json.dumps({"signature_name": "serving_default", "instances": [row, row]})
    answer = http.post("/v1/models/gallery:predict", content=body)
    found = np.array(answer.json()["predictions"])
    assert found.shape == (2, 20, 24, 3)
    np.testing.assert_allclose(found[1], expected, atol=1e-4)
    columns = {"inputs": {"image": [image.tolist()], "style": [style]}}
    answer = http.post("/v1/models/gallery/versions/1:predict", json=columns)
    np.testing.assert_allclose(answer.json()["outputs"][0], expected, atol=1e-4)


def test_tensorflow_serving_takes_encoded_pictures_and_bytes(http, stylizer):
    data, style = encoded(), weights_of(stylizer, the_scream=1.0)
    expected = stylizer(decoded(data), style)
    text = base64.b64encode(data).decode()
    body = {
        "signature_name": "bytes",
        "instances": [{"image_bytes": {"b64": text}, "style": style}],
    }
    (found,) = http.post("/v1/models/gallery:predict", json=body).json()["predictions"]
    picture = decoded(base64.b64decode(found["b64"]))
    assert np.abs(picture - expected).max() < 0.5 / 255 + 1e-3
    pixels = np.rint(255 * decoded(data)).astype(int).tolist()
    body = {"signature_name": "uint8", "inputs": {"image": [pixels], "style": [style]}}
    found = np.array(
        http.post("/v1/models/gallery:predict", json=body).json()["outputs"]
    )
    assert np.abs(found[0] / 255 - expected).max() < 0.5 / 255 + 1e-3


def test_tensorflow_serving_tells_state_and_signatures(http):
    assert http.get("/v1/models/gallery").json() == {
        "model_version_status": [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    found = http.get("/v1/models/gallery/metadata").json()
    assert found["model_spec"] == {
        "name": "gallery",
        "signature_name": "",
        "version": "1",
    }
    definitions = found["metadata"]["signature_def"]["signature_def"]
    assert set(definitions) == {"serving_default", "uint8", "bytes"}
    style = definitions["bytes"]["inputs"]["style"]
    assert style["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in style["tensor_shape"]["dim"]] == ["-1", "7"]


GOOD = [0, 1, 0, 0, 0, 0, 0]
FLAT = [[[[0.5] * 3] * 16] * 16]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image": FLAT, "style": [GOOD[:-1]]}, "style must have the shape [1, 7]"),
        ({"image": FLAT[0], "style": [GOOD]}, "style must have the shape"),
        ({"image": 0, "style": [GOOD]}, "image is no float32 tensor: a list is"),
        ({"image": FLAT, "style": 0}, "style is no float32 tensor: a list is"),
        (
            {"image": [[[0.5] * 3] * 16], "style": [GOOD]},
            "[B, H, W, 3], got [1, 16, 3]",
        ),
        ({"image": [[[[0.5] * 4] * 16] * 16], "style": [GOOD]}, "got [1, 16, 16, 4]"),
        ({"image": [[[[0.5] * 3] * 8] * 16], "style": [GOOD]}, "16..256 pixels"),
        ({"image": [[[[128] * 3] * 16] * 16], "style": [GOOD]}, "RGB in 0..1"),
        ({"image": [[[[1e39] * 3] * 16] * 16], "style": [GOOD]}, "not finite"),
        ({"image": [[0.5, [1.0]]], "style": [GOOD]}, "no float32 tensor"),
        ({"image": "text", "style": [GOOD]}, "no float32 tensor"),
        ({"image": FLAT, "style": [[0.5] * 7]}, "sum to 1"),
        ({"image": FLAT, "style": [[2, -1, 0, 0, 0, 0, 0]]}, "0 or more"),
        ({"image": FLAT}, "takes the inputs image and style"),
        ({"image": FLAT, "style": [GOOD], "more": 1}, "takes the inputs"),
        ([], "takes the inputs"),
    ],
)
def test_wrong_tensors_are_refused_in_tensorflow_servings_form(http, inputs, message):
    refused(
        http.post("/v1/models/gallery:predict", json={"inputs": inputs}), 400, message
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"[1]", "must be a JSON object"),
        (b"{}", "either 'instances' or 'inputs'"),
        (b'{"instances": [], "inputs": {}}', "either"),
        (b'{"instances": []}', "list of objects"),
        (b'{"instances": [{"image": 1}, {"style": 1}]}', "same inputs"),
        (b'{"signature_name": "no", "inputs": {}}', "there are serving_default"),
        (b'{"inputs": {"image": [[[[NaN]]]]}}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (
            b'{"signature_name": "bytes", "inputs": {"image_bytes": {"b64": "?"},'
            b' "style": [[1,0,0,0,0,0,0]]}}',
            "in base64",
        ),
        (
            b'{"signature_name": "bytes", "inputs": {"image_bytes": {"b64": "aGk="},'
            b' "style": [[1,0,0,0,0,0,0]]}}',
            "not an image",
        ),
    ],
)
def test_wrong_bodies_are_refused_in_tensorflow_servings_form(http, body, message):
    refused(http.post("/v1/models/gallery:predict", content=body), 400, message)


def test_unknown_models_and_versions_are_told_as_tensorflow_serving_does(http):
    predict = {"inputs": {}}
    answer = http.post("/v1/models/no:predict", json=predict)
    refused(answer, 404, "Servable not found for request: Latest(no)")
    answer = http.post("/v1/models/gallery/versions/7:predict", json=predict)
    refused(answer, 404, "Specific(gallery, 7)")
    refused(http.get("/v1/models/gallery/versions/7"), 404, "Specific(gallery, 7)")
    refused(http.post("/v1/models/gallery:nothing"), 404, "Malformed request: POST")
    refused(http.post("/v1/models/gallery:classify"), 400, "predict only")
    refused(http.get("/v1/models/gallery:predict"), 405)


# KServe v2.


def test_kserve_tells_server_and_model(http):
    assert "binary_tensor_data" in http.get("/v2").json()["extensions"]
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}
    model = http.get("/v2/models/gallery/versions/1").json()
    assert model["inputs"][1] == {"name": "style", "datatype": "FP32", "shape": [-1, 7]}
    assert http.get("/v2/models/gallery/ready").json()["ready"] is True
    refused(http.get("/v2/models/no"), 404, "there is no model no; there are gallery")
    refused(http.get("/v2/models/gallery/versions/4"), 404, "no version 4")


def kserve(http, arrays, *, binary_output=True, kind="FP32", **more):
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


STYLE = np.asarray([GOOD], "float32")
IMAGE = np.full((1, 16, 16, 3), 0.5, "float32")


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


# Bad input.


@pytest.mark.parametrize(
    ("image", "fields", "status", "message"),
    [
        (b"This is no image.", {}, 415, "not an image of a format that is read"),
        (b"", {}, 415, "is empty"),
        (encoded("GIF"), {}, 415, "is a GIF file"),
        (encoded()[:-400], {}, 422, "is damaged"),
        (encoded("JPEG", 96, 96)[:900], {}, 422, "is damaged"),
        (bomb(), {}, 413, "12000x12000 = 144 megapixels; at most 40"),
        (encoded(height=8), {}, 422, "the short side must have at least 16"),
        (None, {"style": "udni"}, 422, "did you mean udnie?"),
        (None, {"mix": "udnie=1,no=1", "style": None}, 422, "there is no style no"),
        (None, {"mix": "udnie", "style": None}, 422, "NAME=SHARE"),
        (None, {"mix": "udnie=nan", "style": None}, 422, "must be a number"),
        (None, {"mix": "udnie=1,udnie=2", "style": None}, 422, "twice"),
        (None, {"style": None}, 422, "give style or mix"),
        (None, {"mix": "udnie=1"}, 422, "give style or mix"),
        (None, {"strength": "2"}, 422, "strength must be in 0..1, got 2"),
        (None, {"strength": "NaN"}, 422, "strength must be in 0..1"),
        (None, {"size": "8"}, 422, "whole number in 16..256"),
        (None, {"size": "9" * 5000}, 422, "whole number in 16..256"),
        (None, {"size": "²"}, 422, "whole number"),
        (None, {"keep_colors": "perhaps"}, 422, "true or false"),
        (None, {"format": "gif"}, 422, "jpeg, png, webp"),
        (None, {"model": "no"}, 422, "no model no; there are gallery"),
        (None, {"stile": "udnie"}, 422, "no field 'stile'"),
    ],
)
def test_a_photograph_or_field_that_can_not_be_used_is_refused(
    http, image, fields, status, message
):
    fields = {"style": "udnie", **fields}
    given = {key: value for key, value in fields.items() if value is not None}
    refused(post(http, image, **given), status, message)
    assert http.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "image"])
def test_another_content_type_is_refused(http, kind):
    answer = http.post("/stylize", content=b"{}", headers={"Content-Type": kind})
    refused(answer, 415, "send the photograph as image/*")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"--x", 400),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nno\r\n\r\n--x--", 400),
        ("multipart/form-data; boundary=x", b"", 422),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="image"\r\n\r\nz\r\n--x--',
            422,
        ),
    ],
)
def test_a_broken_form_is_refused(http, kind, body, status):
    answer = http.post("/stylize", content=body, headers={"Content-Type": kind})
    refused(answer, status)


@pytest.mark.parametrize("path", ["stylize", "v1/models/gallery:predict"])
def test_a_compressed_body_is_refused(http, path):
    headers = {"Content-Encoding": "gzip", "Content-Type": "image/png"}
    refused(http.post(path, content=b"x", headers=headers), 415, "coding gzip")


def test_a_field_given_twice_is_refused(http):
    answer = http.post(
        "/stylize?style=udnie&style=udnie",
        content=encoded(),
        headers={"Content-Type": "image/png"},
    )
    refused(answer, 422, "given twice")


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


def test_unknown_paths_and_methods_are_refused_in_json(http):
    refused(http.get("/nothing"), 404, "GET /nothing")
    refused(http.get("/../../etc/passwd"), 404)
    refused(http.get("/styles/..%2f..%2fetc/1/passwd.jpg"), 404)
    answer = http.delete("/stylize")
    refused(answer, 405)
    assert "POST" in answer.headers["allow"]


def test_no_other_origin_may_read_unless_asked(http, tmp_path):
    origin = {"Origin": "https://other.example"}
    assert (
        "access-control-allow-origin" not in http.get("/styles", headers=origin).headers
    )
    with serving(tmp_path, "--cors", "https://other.example") as (_, where):
        answer = httpx.get(f"{where}/styles", headers=origin)
        assert answer.headers["access-control-allow-origin"] == "https://other.example"
        stranger = httpx.get(
            f"{where}/styles", headers={"Origin": "https://no.example"}
        )
        assert "access-control-allow-origin" not in stranger.headers


# Slow, impatient and many clients.


def connect(address):
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


HEAD = (
    "POST /stylize?style=udnie HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    "Content-Length: {}\r\n\r\n"
)


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
            answer = post(client, encoded("JPEG", 512, 512), style="udnie")
        refused(answer, 503, "no answer within 0.2 s")


def test_accepted_requests_are_finished_when_the_server_is_told_to_end(tmp_path):
    data = encoded("JPEG", 256, 256)
    with (
        serving(tmp_path, "--workers", "1") as (process, where),
        httpx.Client(base_url=where, timeout=60) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        work = [pool.submit(post, client, data, style="udnie") for _ in range(4)]
        while "nst_queue_waiting 3.0" not in httpx.get(f"{where}/metrics").text:
            time.sleep(0.01)
        process.terminate()
        assert [future.result().status_code for future in work] == [200] * 4
        process.wait(timeout=30)
        with pytest.raises(httpx.ConnectError):
            httpx.get(where)


def test_a_new_file_is_taken_without_losing_a_request(tmp_path):
    model = tmp_path / "own.tflite"
    model.write_bytes(bundled().read_bytes())
    stop = threading.Event()
    codes = []

    def version(client):
        found = client.get("/v1/models/own").json()
        return found["model_version_status"][0]["version"]

    def wait_for(client, wanted):
        end = time.monotonic() + 60
        while version(client) != wanted:
            assert time.monotonic() < end
            time.sleep(0.1)

    with (
        serving(tmp_path, model) as (_, where),
        httpx.Client(base_url=where, timeout=60) as client,
    ):

        def ask():
            while not stop.is_set():
                codes.append(post(client, style="udnie").status_code)

        thread = threading.Thread(target=ask)
        thread.start()
        part = tmp_path / "part"
        part.write_bytes(bundled().read_bytes())
        part.replace(model)
        wait_for(client, "2")
        model.write_bytes(b"damaged")
        time.sleep(2.5)
        assert version(client) == "2"
        part.write_bytes(bundled().read_bytes())
        part.replace(model)
        wait_for(client, "3")
        stop.set()
        thread.join()
        assert len(codes) > 3
        assert set(codes) == {200}
    assert "own stays at version 2" in (tmp_path / "log.txt").read_text()


# What surrounds it.


def test_metrics_are_in_prometheus_form(http):
    from prometheus_client.parser import text_string_to_metric_families

    http.get("/healthz")
    http.get("/this/is/nothing")
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {f.name: f for f in text_string_to_metric_families(answer.text)}
    assert families["nst_model_version"].samples[0].labels == {"model": "gallery"}
    counted = {
        (s.labels["route"], s.labels["status"]): s.value
        for s in families["nst_requests"].samples
        if s.name.endswith("_total")
    }
    assert counted["/healthz", "200"] >= 1
    assert counted["none", "404"] >= 1
    assert "nst_request_seconds" in families


def test_the_pages_come_with_a_policy_that_loads_nothing_from_elsewhere(http):
    for path in ("/", "/docs", "/page.js", "/page.css", "/engine.js", "/icon.svg"):
        answer = http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'self'"
        )
        assert "http://" not in answer.text.replace("http://www.w3.org/", "")
        assert "https://" not in answer.text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["no.tflite"], "there is no model no.tflite"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--deadline", "nan"], "deadline must be at least 0.1"),
        (["--port", "70000"], "port must be in 0..65535"),
        (["--max-size", "8", "--queue", "0"], "queue must be at least 1"),
        (["--host", "256.0.0.1"], "can't listen on 256.0.0.1:8000"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    capsys, monkeypatch, tmp_path, flags, message
):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["serve", *flags])
    except SystemExit as left:
        code = left.code
    assert code == 2
    said = capsys.readouterr().err
    assert message in " ".join("".join(c for c in said if c not in "│╭╮╰╯─").split())


def test_a_port_that_is_taken_is_refused(address, capsys):
    port = address.rpartition(":")[2]
    assert main(["serve", "--port", port]) == 2
    assert f"can't listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_two_models_of_one_name_are_refused(tmp_path, capsys):
    paths = [tmp_path / name / "own.tflite" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(bundled().read_bytes())
    assert main(["serve", *map(str, paths)]) == 2
    assert "need different file names" in capsys.readouterr().err


def test_settings_are_checked():
    with pytest.raises(InputError, match="threads must be at least 1, got 0"):
        ServeSettings(threads=0)
    assert ServeSettings(threads=3, workers=9).threads_each == 3


def test_the_server_loads_neither_tensorflow_nor_keras():
    program = (
        "import sys, nst_export.server.run; "
        "assert not {'keras', 'tensorflow', 'jax', 'nst_training'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
