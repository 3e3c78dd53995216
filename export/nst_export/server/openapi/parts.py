"""Pieces that stand in many places of the document."""

from typing import Any

from nst_export.server.models import LATEST
from nst_export.server.service import Service

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
BINARY: Schema = {"type": "string", "format": "binary"}
"""Bytes of a file, in the words that generators of clients know."""
PICTURES, SERVING, KSERVE, SERVER = "pictures", "tensorflow-serving", "kserve", "server"
"""The tags: a group of routes each."""
TAGS = {
    PICTURES: "Photographs in, paintings out.",
    SERVING: "TensorFlow Serving's REST API.",
    KSERVE: "The Open Inference Protocol (KServe v2).",
    SERVER: "The server itself.",
}
NUMBERS: Schema = {"type": "array", "items": {}}
"""Nested lists of numbers, whose depth JSON Schema can't bind to a shape."""
ANYTHING: Schema = {"type": "object"}
_ERRORS = {
    400: "The request can't be read.",
    404: "There is no such model, version or style.",
    408: "The upload was too slow.",
    409: "There is a style of that name already.",
    413: "The body or the photograph is too large.",
    415: "Not an image, of a type that is not read, or packed otherwise than by gzip.",
    422: "A field has no meaning, or the photograph is damaged.",
    503: "The queue is full or the time is over; Retry-After has seconds.",
    507: "The style can't be kept: its folder is full or can't be written.",
}


def model_and_version(service: Service, path: str) -> list[Schema]:
    """Describe `{name}` and, where it stands in a path, `{version}`."""
    models = list(service.models)
    found = [path_parameter("name", [model.name for model in models])]
    if "{version}" in path:
        versions = [LATEST, *(str(model.version) for model in models)]
        found.append(path_parameter("version", versions))
    return found


def path_parameter(name: str, values: list[str]) -> Schema:
    """Describe a part of a path that has one of these values."""
    schema = {"type": "string", "enum": sorted(set(values))}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def get(
    operation: str,
    tag: str,
    summary: str,
    schema: Schema,
    parameters: list[Schema] | None = None,
) -> Schema:
    """Describe a route that is read.

    Args:
        operation: Its operationId, of which generators make the function's name.
        tag: A key of `TAGS`.
        summary: What it gives.
        schema: Of its answer.
        parameters: Of its path: 404 refuses what there is not.
    """
    found: Schema = {
        "operationId": operation,
        "tags": [tag],
        "summary": summary,
        "responses": {"200": answer(schema)},
    }
    if parameters:
        found["parameters"] = parameters
        found["responses"] |= errors(404)
    return found


def post(
    operation: str,
    tag: str,
    summary: str,
    description: str,
    parameters: list[Schema],
    body: Schema,
) -> Schema:
    """Describe a route that paints tensors, with the schema of its JSON body."""
    return {
        "operationId": operation,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body}},
        },
        "responses": {
            "200": answer(ANYTHING),
            **errors(400, 404, 408, 413, 415, 503),
        },
    }


def answer(schema: Schema) -> Schema:
    """Describe a JSON answer."""
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}


def errors(*statuses: int) -> Schema:
    """Describe the answers of these statuses."""
    schema = {"$ref": "#/components/schemas/Error"}
    content = {"application/json": {"schema": schema}}
    return {
        str(status): {"description": _ERRORS[status], "content": content}
        for status in statuses
    }
