"""TensorFlow Serving's REST interface.

Reference:
    https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import json

import numpy as np
import pytest

from tests.helpers import scene
from tests.serving import (
    FLAT,
    GOOD,
    decoded,
    encoded,
    refused,
    weights_of,
)


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


def test_tensors_ask_for_the_strengths_that_pictures_do(http, stylizer):
    image, style = scene(20, 24), weights_of(stylizer, udnie=1.0, strength=1.5)
    inputs = {"image": [image.tolist()], "style": [style]}
    answer = http.post("/v1/models/gallery:predict", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    expected = stylizer(image, style)
    np.testing.assert_allclose(answer.json()["outputs"][0], expected, atol=1e-4)


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
    assert [dim["size"] for dim in style["tensor_shape"]["dim"]] == ["-1", "13"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image": FLAT, "style": [GOOD[:-1]]}, "style must have the shape [1, 13]"),
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
        ({"image": FLAT, "style": [[0.5] * len(GOOD)]}, "sum to 1"),
        ({"image": FLAT, "style": [[2, -1, *GOOD[2:]]]}, "0 or more"),
        ({"image": FLAT, "style": [[-0.6, 1.6, *GOOD[2:]]]}, "0 or more (-0.5 the"),
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
            b' "style": [[1,0,0,0,0,0,0,0,0,0,0,0,0]]}}',
            "in base64",
        ),
        (
            b'{"signature_name": "bytes", "inputs": {"image_bytes": {"b64": "aGk="},'
            b' "style": [[1,0,0,0,0,0,0,0,0,0,0,0,0]]}}',
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
    assert http.get("/v1/models/gallery/versions/0").status_code == 200  # The newest.
    for other in ("01", "00", "1" * 5000, "%D9%A1", "1 ", "-1"):
        refused(http.get(f"/v1/models/gallery/versions/{other}"), 404)
    refused(http.post("/v1/models/gallery:nothing"), 404, "Malformed request: POST")
    refused(http.post("/v1/models/gallery:classify"), 400, "predict only")
    refused(http.get("/v1/models/gallery:predict"), 405)
