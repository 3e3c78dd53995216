"""The routes of TensorFlow Serving and KServe v2: tensors in and out."""

from nst_export.server.openapi.parts import (
    ANYTHING,
    KSERVE,
    NUMBERS,
    SERVING,
    TEXT,
    Schema,
    answer,
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
        end = _of(base)
        paths[base] = {
            "get": get(
                f"serving_status{end}", SERVING, "State of a model", ANYTHING, where
            )
        }
        paths[f"{base}/metadata"] = {
            "get": get(
                f"serving_metadata{end}",
                SERVING,
                "Signatures of a model",
                ANYTHING,
                where,
            )
        }
        paths[f"{base}:predict"] = {
            "post": post(
                f"serving_predict{end}",
                SERVING,
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
        "/v2": {"get": get("kserve_server", KSERVE, "The server", ANYTHING)},
        "/v2/health/live": {
            "get": get("kserve_live", KSERVE, "Whether it lives", ANYTHING)
        },
        "/v2/health/ready": {
            "get": _ready("kserve_ready", "Whether it takes requests")
        },
        "/v2/models/stats": {
            "get": get("kserve_stats", KSERVE, "Counts of all models", ANYTHING)
        },
    }
    for base in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        where, end = model_and_version(service, base), _of(base)
        paths[base] = {
            "get": get(
                f"kserve_model{end}", KSERVE, "Tensors of a model", ANYTHING, where
            )
        }
        paths[f"{base}/ready"] = {
            "get": _ready(
                f"kserve_model_ready{end}", "Whether a model takes requests", where
            )
        }
        paths[f"{base}/stats"] = {
            "get": get(
                f"kserve_model_stats{end}",
                KSERVE,
                "Counts of a model",
                ANYTHING,
                where,
            )
        }
        paths[f"{base}/infer"] = {
            "post": post(
                f"kserve_infer{end}",
                KSERVE,
                "Paint tensors, as KServe v2",
                f"The header {HEADER} announces binary tensors behind the JSON. `image`"
                " is FP32 in 0..1, UINT8, or encoded pictures as BYTES.",
                where,
                asked,
            )
        }
    return paths


def _of(base: str) -> str:
    """Return what the name of an operation ends with."""
    return "_version" if "{version}" in base else ""


def _ready(
    operation: str, summary: str, parameters: list[Schema] | None = None
) -> Schema:
    """Describe a route whose answer is the same with 200 and with 503."""
    found = get(operation, KSERVE, summary, ANYTHING, parameters)
    found["responses"]["503"] = {
        **answer(ANYTHING),
        "description": "Not now: the queue is full, or the server is stopping",
    }
    return found
