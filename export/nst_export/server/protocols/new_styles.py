"""Paintings that become styles of the server: `POST /styles`.

There is no such route unless `--allow-new-styles` says where the styles may be kept.
"""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nst_export.server.models import PAINTING, Served
from nst_export.server.protocols.pictures import (
    FORM,
    asked_model,
    media_type,
    read_form,
    refusing,
)
from nst_export.server.service import HttpError, Service, json_response

FIELDS = ("model", "name", "credit", "licence")
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
"""What names of new styles look like: they stand in addresses and names of files."""


def routes(service: Service) -> list[Route]:
    """Return the route `POST /styles`."""

    async def add(request: Request) -> Response:
        deadline = service.deadline()
        if (kind := media_type(request)) != FORM:
            raise HttpError(
                415,
                f"send the painting as the field 'painting' of {FORM}, not as"
                f" {kind or 'nothing'}",
                {"Accept": FORM},
            )
        body = await service.body(request, deadline)
        files, fields = await read_form(
            request, body, needed=PAINTING, files=(PAINTING,), known=FIELDS
        )
        model, name = _model(service, fields.get("model")), fields.get("name", "")
        if not re.fullmatch(NAME, name) or name == PAINTING:
            raise HttpError(
                422,
                "name must be 1 to 64 letters, digits, '_' or '-' and not"
                f" '{PAINTING}', got {name!r}",
            )
        if name in model.styles:
            raise HttpError(409, f"there is a style {name} already")

        def work(worker: int) -> None:
            _add(service, model, worker, files[PAINTING], fields)

        await service.run(request, work, deadline, model=model)
        return json_response({"model": model.name, "style": name}, 201)

    return [Route("/styles", add, methods=["POST"])]


def _model(service: Service, name: str | None) -> Served:
    """Return the model that is asked for, or the first that takes any painting."""
    if name is None:
        return next(model for model in service.models if model.encoders)
    model = asked_model(service, name)
    if not model.encoders:
        raise HttpError(422, f"the model {name} is not for any painting")
    return model


def _add(
    service: Service,
    model: Served,
    worker: int,
    painting: bytes,
    fields: dict[str, str],
) -> None:
    """Make a style of a painting, keep and serve it."""
    with refusing():
        most = service.settings.max_pixels
        style = model.style_of(painting, fields["name"], worker, most)
        credit, licence = (fields.get(key, "") for key in ("credit", "licence"))
        style = style._replace(credit=credit, licence=licence)
        try:
            service.models.add(model.name, style)
        except FileExistsError as error:
            raise HttpError(409, str(error)) from error
        except OSError as error:
            raise HttpError(507, f"the style can't be kept: {error}") from error
