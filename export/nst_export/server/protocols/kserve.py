"""The Open Inference Protocol (KServe v2) with the binary tensor extension.

Reference:
    https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
    https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import math
import struct
from typing import Any

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nst_export.server.models import LATEST, Served
from nst_export.server.protocols.tensors import paint, to_array
from nst_export.server.service import HttpError, Service, json_response, read_json
from nst_tf import __version__

HEADER = "Inference-Header-Content-Length"
_DIGITS = 12
"""Most digits that its number may have."""
_MOST_SIDES = 8
"""More dimensions than any tensor has."""
_LEAST_FILE = 16
"""No image file is smaller, in bytes."""
_DTYPES = {"FP32": "float32", "UINT8": "uint8", "BYTES": "bytes"}


def routes(service: Service) -> list[Route]:
    """Return the routes below `/v2`."""

    def find(request: Request) -> Served:
        name = request.path_params["name"]
        try:
            model = service.models.get(name)
        except KeyError:
            known = ", ".join(model.name for model in service.models)
            raise HttpError(
                404, f"there is no model {name}; there are {known}"
            ) from None
        version = request.path_params.get("version", LATEST)
        if not model.is_version(version):
            raise HttpError(
                404, f"{name} has no version {version}; {model.version} is served"
            )
        return model

    async def server(_: Request) -> Response:
        extensions = ["binary_tensor_data", "statistics"]
        return json_response(
            {"name": "nst-tf", "version": __version__, "extensions": extensions}
        )

    async def live(_: Request) -> Response:
        return json_response({"live": True})

    async def ready(_: Request) -> Response:
        service.start()
        able = service.workers.ready
        return json_response({"ready": able}, 200 if able else 503)

    async def model_ready(request: Request) -> Response:
        model = find(request)
        service.start()
        able = service.workers.ready
        return json_response({"name": model.name, "ready": able}, 200 if able else 503)

    async def metadata(request: Request) -> Response:
        return json_response(_metadata(find(request)))

    async def statistics(request: Request) -> Response:
        named = "name" in request.path_params
        models = [find(request)] if named else list(service.models)
        listed = [
            {
                "name": model.name,
                "version": str(model.version),
                **model.statistics.plain(),
            }
            for model in models
        ]
        return json_response({"model_stats": listed})

    async def infer(request: Request) -> Response:
        model, deadline = find(request), service.deadline()
        body = await service.body(request, deadline)
        header = request.headers.get(HEADER)

        def work(worker: int) -> Response:
            asked, tail = split(body, header)
            inputs = read_inputs(asked, tail)
            kind, image = inputs["image"]
            style = inputs["style"][1]
            found = paint(
                model, worker, image, style, service.settings, service.ends(deadline)
            )
            return _respond(model, asked, kind, found)

        response: Response = await service.run(request, work, deadline, model=model)
        return response

    listed = [
        Route("/v2", server),
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        Route("/v2/models/stats", statistics),
    ]
    for base in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        listed += [
            Route(base, metadata),
            Route(f"{base}/ready", model_ready),
            Route(f"{base}/stats", statistics),
            Route(f"{base}/infer", infer, methods=["POST"]),
        ]
    return listed


def split(body: bytes, header: str | None) -> tuple[dict[str, Any], bytes | memoryview]:
    """Return the JSON part of a body and the binary tensors behind it.

    Raises:
        HttpError: The header is no length within the body.
    """
    if header is None:
        return read_json(body), b""
    digits = header.isascii() and header.isdigit() and len(header) <= _DIGITS
    if not digits or int(header) > len(body):
        raise HttpError(
            400,
            f"{HEADER} must be the length of the body's JSON, got {header[:_DIGITS]}",
        )
    return read_json(body[: int(header)]), memoryview(body)[int(header) :]


def read_inputs(
    asked: dict[str, Any], body: bytes | memoryview
) -> dict[str, tuple[str, Any]]:
    """Return datatype and value of the inputs `image` and `style`.

    What a tensor says of itself (shape, bytes) is compared before any of it is read,
    and nothing is copied on the way: the time is that of the body's length.

    Raises:
        HttpError: An input is missing, unknown or not what it says.
    """
    inputs = asked.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        raise HttpError(400, "inputs must be a list of tensors")
    found: dict[str, tuple[str, Any]] = {}
    tail = memoryview(body)
    for entry in inputs:
        name, kind = entry.get("name"), entry.get("datatype")
        allowed = {"image": ("FP32", "UINT8", "BYTES"), "style": ("FP32",)}
        if not isinstance(name, str) or name not in allowed or name in found:
            raise HttpError(400, f"the inputs are image and style, got {name!r}")
        if kind not in allowed[name]:
            raise HttpError(
                400, f"{name} takes {' or '.join(allowed[name])}, got {kind!r}"
            )
        shape = _shape(entry)
        if kind == "BYTES" and len(shape) != 1:
            raise HttpError(400, f"{name} of BYTES must have one dimension")
        count = math.prod(shape)
        size = _parameters(entry).get("binary_data_size")
        if size is None:
            value = _from_json(entry, kind, name)
            if value.size != count:
                raise HttpError(400, f"{name} does not have the elements of {shape}")
        else:
            if type(size) is not int or not 0 <= size <= len(tail):
                raise HttpError(
                    400, f"{name}: binary_data_size {size!r} is not in the body"
                )
            value = _from_binary(tail[:size], kind, name, shape)
            tail = tail[size:]
        found[name] = kind, value if kind == "BYTES" else value.reshape(shape)
    if set(found) != {"image", "style"}:
        raise HttpError(400, "the inputs image and style are needed")
    if tail:
        raise HttpError(400, f"{len(tail)} bytes behind the last tensor")
    return found


def _shape(entry: dict[str, Any]) -> list[int]:
    shape = entry.get("shape")
    if not isinstance(shape, list) or not 0 < len(shape) <= _MOST_SIDES:
        raise HttpError(400, "every input needs a shape, as a list of its sides")
    if not all(type(side) is int and 0 < side < 2**31 for side in shape):
        raise HttpError(400, f"a shape holds whole numbers above 0, got {shape}")
    return shape


def _parameters(entry: dict[str, Any]) -> dict[str, Any]:
    found = entry.get("parameters")
    return found if isinstance(found, dict) else {}


def _from_json(entry: dict[str, Any], kind: str, name: str) -> Any:
    if kind == "BYTES":
        raise HttpError(400, f"send {name} of BYTES with the binary tensor extension")
    if "data" not in entry:
        raise HttpError(400, f"{name} has no data")
    return to_array(entry["data"], _DTYPES[kind], name)


def _from_binary(data: memoryview, kind: str, name: str, shape: list[int]) -> Any:
    """Return a tensor of a shape, or the elements of one of BYTES, from its bytes."""
    count = math.prod(shape)
    if kind == "BYTES":
        return _elements(data, count, name)
    dtype = np.dtype(_DTYPES[kind]).newbyteorder("<")
    if len(data) != count * dtype.itemsize:
        raise HttpError(
            400,
            f"{name} does not have the elements of {shape}: {len(data)} bytes, not"
            f" {count * dtype.itemsize}",
        )
    return np.frombuffer(data, dtype).astype(_DTYPES[kind], copy=False)


def _elements(data: memoryview, count: int, name: str) -> list[bytes]:
    """Return as many elements of BYTES, each behind its length in four bytes."""
    # A file has bytes: without this, zeros are millions of elements without any.
    if count > len(data) // (4 + _LEAST_FILE):
        raise HttpError(
            400, f"{name}: {len(data)} bytes do not have the elements of [{count}]"
        )
    values, place = [], 0
    for _ in range(count):
        start = place + 4
        stop = start
        if start <= len(data):
            stop += struct.unpack_from("<I", data, place)[0]
        if not start < stop <= len(data):
            raise HttpError(400, f"{name} ends within an element, or has an empty one")
        values.append(bytes(data[start:stop]))
        place = stop
    if place != len(data):
        raise HttpError(
            400,
            f"{name} has {len(data) - place} bytes behind the elements of [{count}]",
        )
    return values


def _metadata(model: Served) -> dict[str, Any]:
    return {
        "name": model.name,
        "versions": [str(model.version)],
        "platform": "nst-tf",
        "inputs": [
            {"name": "image", "datatype": "FP32", "shape": [-1, -1, -1, 3]},
            {"name": "style", "datatype": "FP32", "shape": [-1, len(model.styles) + 1]},
        ],
        "outputs": [{"name": "picture", "datatype": "FP32", "shape": [-1, -1, -1, 3]}],
    }


def _respond(model: Served, asked: dict[str, Any], kind: str, found: Any) -> Response:
    wanted = asked.get("outputs") or [{"name": "picture"}]
    single = isinstance(wanted, list) and len(wanted) == 1
    if (
        not single
        or not isinstance(wanted[0], dict)
        or wanted[0].get("name") != "picture"
    ):
        raise HttpError(400, "the only output is picture")
    common = _parameters(asked).get("binary_data_output", False)
    binary = _parameters(wanted[0]).get("binary_data", common)
    if kind == "BYTES":
        if not binary:
            raise HttpError(
                400, "ask for BYTES with binary_data: JSON can't hold pictures"
            )
        data = b"".join(struct.pack("<I", len(one)) + one for one in found)
        shape = [len(found)]
    else:
        data, shape = found.tobytes(), list(found.shape)
    output: dict[str, Any] = {"name": "picture", "datatype": kind, "shape": shape}
    answer: dict[str, Any] = {
        "model_name": model.name,
        "model_version": str(model.version),
        "outputs": [output],
    }
    if isinstance(asked.get("id"), str):
        answer["id"] = asked["id"]
    if not binary:
        output["data"] = found.ravel()
        return json_response(answer)
    output["parameters"] = {"binary_data_size": len(data)}
    head = orjson.dumps(answer)
    headers = {HEADER: str(len(head))}
    return Response(head + data, 200, headers, "application/octet-stream")
