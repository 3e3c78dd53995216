"""The OpenAPI document of the server."""

from typing import Any

from nst_export.server.protocols.kserve import HEADER
from nst_export.server.protocols.pictures import FORMATS
from nst_export.server.protocols.tensors import SIGNATURES
from nst_export.server.service import Service
from nst_tf import __version__
from nst_tf.settings.checks import MIN_SIDE

Schema = dict[str, Any]

_TEXT = {"type": "string"}
_NUMBERS = {"type": "array", "items": {}}
"""Nested lists of numbers, whose depth JSON Schema can't bind to a shape."""
_ERRORS = {
    400: "The request can't be read.",
    404: "There is no such model, version or style.",
    408: "The upload was too slow.",
    413: "The body or the photograph is too large.",
    415: "Not an image, of a type that is not read, or compressed.",
    422: "A field has no meaning, or the photograph is damaged.",
    503: "The queue is full or the time is over; Retry-After has seconds.",
}


def document(service: Service) -> Schema:
    """Return OpenAPI 3.1 for the models and limits of a server."""
    models = list(service.models)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nst-tf",
            "version": __version__,
            "description": "Neural style transfer: photographs in, paintings out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/stylize": {"post": _stylize(service)},
            "/styles": {"get": _get("Every style, with a picture of it", _STYLES)},
            "/styles/{model}/{version}/{style}.jpg": {
                "get": {
                    "summary": "The project's scene in a style",
                    "parameters": [
                        _path("model", [model.name for model in models]),
                        _path("version", [str(model.version) for model in models]),
                        _path("style", [s for model in models for s in model.styles]),
                    ],
                    "responses": {
                        "200": {
                            "description": "A picture",
                            "content": {"image/jpeg": {"schema": {}}},
                        },
                        **_errors(404, 503),
                    },
                }
            },
            **_tf_serving(service),
            **_kserve(service),
            "/healthz": {"get": _get("Whether the server lives", {"type": "object"})},
            "/metrics": {
                "get": {
                    "summary": "Counters for Prometheus",
                    "responses": {
                        "200": {
                            "description": "Prometheus' text format",
                            "content": {"text/plain": {"schema": _TEXT}},
                        }
                    },
                }
            },
        },
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": _TEXT},
                    "additionalProperties": False,
                }
            }
        },
    }


_STYLES: Schema = {
    "type": "object",
    "required": ["models", "limits"],
    "properties": {
        "models": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "version", "styles"],
                "properties": {
                    "name": _TEXT,
                    "version": _TEXT,
                    "styles": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name", "credit", "thumbnail"],
                            "properties": {
                                "name": _TEXT,
                                "credit": _TEXT,
                                "thumbnail": _TEXT,
                            },
                        },
                    },
                },
            },
        },
        "limits": {"type": "object"},
    },
}


def _stylize(service: Service) -> Schema:
    models = list(service.models)
    names = [style for model in models for style in model.styles]
    most = service.settings.max_size
    fields: dict[str, tuple[Schema, str]] = {
        "model": (
            {"type": "string", "enum": [model.name for model in models]},
            f"The model; without it {service.models.default}.",
        ),
        "style": ({"type": "string", "enum": names}, "The style."),
        "mix": (
            {"type": "string", "examples": [f"{names[0]}=0.6,{names[-1]}=0.4"]},
            "Several styles with their shares instead: NAME=SHARE,NAME=SHARE.",
        ),
        "strength": (
            {"type": "number", "minimum": 0, "maximum": 1, "default": 1},
            "0 is the photograph, 1 the whole style.",
        ),
        "size": (
            {"type": "integer", "minimum": MIN_SIDE, "maximum": most, "default": most},
            "Long side in pixels to which larger photographs are reduced.",
        ),
        "keep_colors": (
            {"type": "boolean", "default": False},
            "Paint the brightness only; colours stay the photograph's.",
        ),
        "format": (
            {"type": "string", "enum": list(FORMATS)},
            "Of the answer; without it the photograph's.",
        ),
    }
    properties = {
        name: {**schema, "description": text} for name, (schema, text) in fields.items()
    }
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": binary, **properties},
        "additionalProperties": False,
    }
    pictures: Schema = {f"image/{name}": {"schema": {}} for name in FORMATS}
    return {
        "summary": "Paint a photograph",
        "description": "The photograph is the field `image` of a form, or the whole"
        " body; then the other fields stand in the query. Give `style` or `mix`.",
        "parameters": [
            {"name": name, "in": "query", "schema": schema, "description": text}
            for name, (schema, text) in fields.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                "image/*": {"schema": binary},
            },
        },
        "responses": {
            "200": {
                "description": "The painting; Server-Timing says what took how long",
                "content": pictures,
            },
            **_errors(400, 408, 413, 415, 422, 503),
        },
    }


def _tf_serving(service: Service) -> dict[str, Schema]:
    b64 = {
        "type": "object",
        "required": ["b64"],
        "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    }
    forms = []
    for name, signature in SIGNATURES.items():
        image = b64 if signature.dtype == "bytes" else _NUMBERS
        inputs = {signature.image: image, "style": _NUMBERS}
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
    names = [model.name for model in service.models]
    paths: dict[str, Schema] = {}
    for base in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        where = _where(service, base)
        anything = {"type": "object"}
        paths[base] = {
            "get": _get("State of a model, as TensorFlow Serving", anything, where)
        }
        paths[f"{base}/metadata"] = {
            "get": _get("Signatures of a model, as TensorFlow Serving", anything, where)
        }
        paths[f"{base}:predict"] = {
            "post": {
                "summary": "Paint tensors, as TensorFlow Serving",
                "description": f"Models: {', '.join(names)}. Signatures:"
                f" {', '.join(SIGNATURES)}.",
                "parameters": where,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"anyOf": forms}}},
                },
                "responses": {
                    "200": _json(anything),
                    **_errors(400, 404, 408, 413, 415, 503),
                },
            }
        }
    return paths


def _kserve(service: Service) -> dict[str, Schema]:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"enum": ["image", "style"]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "datatype": {"enum": ["FP32", "UINT8"]},
            "data": _NUMBERS,
        },
    }
    asked = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": _TEXT,
            "inputs": {"type": "array", "items": tensor, "minItems": 2, "maxItems": 2},
        },
    }
    anything = {"type": "object"}
    paths: dict[str, Schema] = {
        "/v2": {"get": _get("The server, as KServe v2", anything)},
        "/v2/health/live": {"get": _get("Whether it lives", anything)},
        "/v2/health/ready": {"get": _get("Whether it takes requests", anything)},
    }
    for base in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        where = _where(service, base)
        paths[base] = {"get": _get("Tensors of a model", anything, where)}
        paths[f"{base}/ready"] = {
            "get": _get("Whether a model takes requests", anything, where)
        }
        paths[f"{base}/infer"] = {
            "post": {
                "summary": "Paint tensors, as KServe v2",
                "description": f"The header {HEADER} announces binary tensors behind"
                " the JSON. `image` is FP32 in 0..1, UINT8, or encoded pictures as"
                " BYTES.",
                "parameters": where,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": asked}},
                },
                "responses": {
                    "200": _json(anything),
                    **_errors(400, 404, 408, 413, 415, 503),
                },
            }
        }
    return paths


def _where(service: Service, path: str) -> list[Schema]:
    models = list(service.models)
    found = [_path("name", [model.name for model in models])]
    if "{version}" in path:
        found.append(_path("version", [str(model.version) for model in models]))
    return found


def _path(name: str, values: list[str]) -> Schema:
    schema = {"type": "string", "enum": sorted(set(values))}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _get(
    summary: str, schema: Schema, parameters: list[Schema] | None = None
) -> Schema:
    found: Schema = {"summary": summary, "responses": {"200": _json(schema)}}
    if parameters:
        found["parameters"] = parameters
        found["responses"] |= _errors(404)
    return found


def _json(schema: Schema) -> Schema:
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int) -> Schema:
    schema = {"$ref": "#/components/schemas/Error"}
    content = {"application/json": {"schema": schema}}
    return {
        str(status): {"description": _ERRORS[status], "content": content}
        for status in statuses
    }
