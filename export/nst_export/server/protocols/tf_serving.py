"""TensorFlow Serving's REST API.

Reference:
    https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import binascii
import re
from typing import Any, NamedTuple

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nst_export.server.models import Served
from nst_export.server.protocols.tensors import SIGNATURES, Signature, paint, to_array
from nst_export.server.service import HttpError, Service, json_response, read_json

_ADDRESS = re.compile(
    r"(?P<name>[^/:]+)(/versions/(?P<version>0|[1-9][0-9]*))?(?P<verb>:[a-z]+|/metadata)?"
)
_DTYPES = {"float32": "DT_FLOAT", "uint8": "DT_UINT8", "bytes": "DT_STRING"}


class Tensors(NamedTuple):
    """What a predict request asks for.

    Attributes:
        signature: Which of the model's.
        image: `[B, H, W, 3]`, or B encoded pictures.
        style: float32 `[B, N + 1]`.
        rows: Whether the answer is a list of instances.
    """

    signature: Signature
    image: Any
    style: np.ndarray
    rows: bool


def routes(service: Service) -> list[Route]:
    """Return the routes below `/v1/models`."""

    async def models(request: Request) -> Response:
        address = _ADDRESS.fullmatch(request.path_params["address"])
        malformed = f"Malformed request: {request.method} {request.url.path}"
        if address is None:
            raise HttpError(404, malformed)
        verb = address["verb"]
        predicts = verb in (":predict", ":classify", ":regress")
        if verb not in (None, "/metadata") and not predicts:
            raise HttpError(404, malformed)
        allowed = "POST" if predicts else "GET"
        if request.method != allowed and (request.method, allowed) != ("HEAD", "GET"):
            raise HttpError(405, malformed, {"Allow": allowed})
        model = _find(service, address["name"], address["version"])
        if verb == ":predict":
            return await predict(request, model)
        if predicts:
            raise HttpError(400, "this model has signatures for predict only")
        return json_response(_metadata(model) if verb else _status(model))

    async def predict(request: Request, model: Served) -> Response:
        deadline = service.deadline()
        body = await service.body(request, deadline)

        def work(worker: int) -> Response:
            asked = read_request(body)
            answer = paint(
                model,
                worker,
                asked.image,
                asked.style,
                service.settings,
                service.ends(deadline),
            )
            return json_response(_answer(answer, rows=asked.rows))

        response: Response = await service.run(request, work, deadline, model=model)
        return response

    every = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
    return [Route("/v1/models/{address:path}", models, methods=every)]


def read_request(body: bytes) -> Tensors:
    """Read the row format (`instances`) or the column format (`inputs`).

    Raises:
        HttpError: The body is neither.
    """
    found = read_json(body)
    name = found.get("signature_name", "") or "serving_default"
    if not isinstance(name, str) or name not in SIGNATURES:
        raise HttpError(
            400,
            f"Serving signature name {name!r} not found in signature def; there are"
            f" {', '.join(SIGNATURES)}",
        )
    signature = SIGNATURES[name]
    if ("instances" in found) == ("inputs" in found):
        raise HttpError(400, "the body must have either 'instances' or 'inputs'")
    rows = "instances" in found
    columns = _columns(found["instances"]) if rows else found["inputs"]
    names = {signature.image, "style"}
    if not isinstance(columns, dict) or set(columns) != names:
        raise HttpError(
            400, f"the signature {name} takes the inputs {signature.image} and style"
        )
    style = to_array(columns["style"], "float32", "style")
    image = columns[signature.image]
    if signature.dtype == "bytes":
        return Tensors(signature, _decode(image, signature.image), style, rows)
    array = to_array(image, signature.dtype, signature.image)
    return Tensors(signature, array, style, rows)


def _columns(instances: Any) -> dict[str, list[Any]]:
    """Turn instances into one list an input."""
    fits = isinstance(instances, list) and instances
    if not fits or not all(isinstance(one, dict) for one in instances):
        raise HttpError(400, "'instances' must be a list of objects, one a picture")
    if any(set(one) != set(instances[0]) for one in instances):
        raise HttpError(400, "every instance must have the same inputs")
    return {name: [one[name] for one in instances] for name in instances[0]}


def _decode(values: Any, name: str) -> list[bytes]:
    values = [values] if isinstance(values, dict) else values
    if not isinstance(values, list):
        raise HttpError(400, f'{name} must be {{"b64": ...}} or a list of them')
    try:
        return [base64.b64decode(value["b64"], validate=True) for value in values]
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise HttpError(
            400, f'{name} must be {{"b64": "the file in base64"}}: {error}'
        ) from error


def _answer(pictures: Any, *, rows: bool) -> dict[str, Any]:
    # A single output stands without its name.
    if isinstance(pictures, list):
        pictures = [{"b64": base64.b64encode(data).decode()} for data in pictures]
    return {"predictions" if rows else "outputs": pictures}


def _find(service: Service, name: str, version: str | None) -> Served:
    try:
        model = service.models.get(name)
    except KeyError:
        wanted = (
            f"Latest({name})" if version is None else f"Specific({name}, {version})"
        )
        known = ", ".join(model.name for model in service.models)
        raise HttpError(
            404, f"Servable not found for request: {wanted}; there are {known}"
        ) from None
    if version is not None and not model.is_version(version):
        raise HttpError(
            404,
            f"Servable not found for request: Specific({name}, {version}); version"
            f" {model.version} is served",
        )
    return model


def _status(model: Served) -> dict[str, Any]:
    status = {"error_code": "OK", "error_message": ""}
    version = {"version": str(model.version), "state": "AVAILABLE", "status": status}
    return {"model_version_status": [version]}


def _metadata(model: Served) -> dict[str, Any]:
    def tensor(name: str, dtype: str, *sizes: int) -> dict[str, Any]:
        dim = [{"size": str(size), "name": ""} for size in sizes]
        return {
            "dtype": _DTYPES[dtype],
            "tensor_shape": {"dim": dim, "unknown_rank": False},
            "name": name,
        }

    definitions = {}
    for key, signature in SIGNATURES.items():
        sizes = (-1,) if signature.dtype == "bytes" else (-1, -1, -1, 3)
        definitions[key] = {
            "inputs": {
                signature.image: tensor(signature.image, signature.dtype, *sizes),
                "style": tensor("style", "float32", -1, len(model.styles) + 1),
            },
            "outputs": {
                signature.picture: tensor(signature.picture, signature.dtype, *sizes)
            },
            "method_name": "tensorflow/serving/predict",
        }
    return {
        "model_spec": {
            "name": model.name,
            "signature_name": "",
            "version": str(model.version),
        },
        "metadata": {"signature_def": {"signature_def": definitions}},
    }
