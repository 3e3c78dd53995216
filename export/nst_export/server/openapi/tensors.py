"""The routes of TensorFlow Serving and KServe v2: tensors in and out."""

from nst_export.server.openapi.parts import (
    ANYTHING,
    NUMBERS,
    TEXT,
    Schema,
    get,
    model_and_version,
    post,
)
from nst_export.server.protocols.kserve import HEADER
from nst_export.server.protocols.tensors import SIGNATURES
from nst_export.server.service import Service


def tf_serving(service: Service) -> dict[str, Schema]:
    """Describe the routes of TensorFlow Serving, by their paths."""
    names = [model.name for model in service.models]
    b64 = {
        "type": "object",
        "required": ["b64"],
        "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    }
    forms = []
    for name, signature in SIGNATURES.items():
        image = b64 if signature.dtype == "bytes" else NUMBERS
        inputs = {signature.image: image, "style": NUMBERS}
        row = {"type": "object", "required": list(inputs), "properties": inputs}
        column = {**row, "properties": {**inputs, signature.image: {}}}
        rows = {"type": "array", "items": row, "minItems": 1}
        for key, schema in (("instances", rows), ("inputs", column)):
            forms.append(
                {
                    "type": "object",
                    "required": ["signature_name", key],
                    "properties": {"signature_name": {"const": name}, key: schema},
                }
            )
    paths: dict[str, Schema] = {}
    for base in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        where = model_and_version(service, base)
        paths[base] = {
            "get": get("State of a model, as TensorFlow Serving", ANYTHING, where)
        }
        paths[f"{base}/metadata"] = {
            "get": get("Signatures of a model, as TensorFlow Serving", ANYTHING, where)
        }
        paths[f"{base}:predict"] = {
            "post": post(
                "Paint tensors, as TensorFlow Serving",
                f"Models: {', '.join(names)}. Signatures: {', '.join(SIGNATURES)}.",
                where,
                {"anyOf": forms},
            )
        }
    return paths


def kserve(service: Service) -> dict[str, Schema]:
    """Describe the routes of KServe v2, by their paths."""
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"enum": ["image", "style"]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "datatype": {"enum": ["FP32", "UINT8"]},
            "data": NUMBERS,
        },
    }
    asked = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": TEXT,
            "inputs": {"type": "array", "items": tensor, "minItems": 2, "maxItems": 2},
        },
    }
    paths: dict[str, Schema] = {
        "/v2": {"get": get("The server, as KServe v2", ANYTHING)},
        "/v2/health/live": {"get": get("Whether it lives", ANYTHING)},
        "/v2/health/ready": {"get": get("Whether it takes requests", ANYTHING)},
    }
    for base in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        where = model_and_version(service, base)
        paths[base] = {"get": get("Tensors of a model", ANYTHING, where)}
        paths[f"{base}/ready"] = {
            "get": get("Whether a model takes requests", ANYTHING, where)
        }
        paths[f"{base}/infer"] = {
            "post": post(
                "Paint tensors, as KServe v2",
                f"The header {HEADER} announces binary tensors behind the JSON. `image`"
                " is FP32 in 0..1, UINT8, or encoded pictures as BYTES.",
                where,
                asked,
            )
        }
    return paths
