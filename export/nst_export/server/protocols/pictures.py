"""Pictures in, pictures out: `POST /stylize`, and the list of styles."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nst_export.runtime.drafts import DRAFT
from nst_export.runtime.mix import mix_weights, parse_mix
from nst_export.server.models import PAINTING, Served
from nst_export.server.service import HttpError, Service, json_response
from nst_export.server.settings import ServeSettings
from nst_tf.imaging.color import keep_colors
from nst_tf.imaging.formats import FormatError, SizeError
from nst_tf.imaging.read import decode_image
from nst_tf.imaging.scene import THUMBNAIL, landscape
from nst_tf.imaging.write import encode_image
from nst_tf.settings.checks import MIN_SIDE, InputError

FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}
"""Formats of answers, and what Pillow calls them."""
FORM = "multipart/form-data"
_ALIASES = {"jpg": "jpeg"}
_TRUTH = {"true": True, "1": True, "yes": True, "on": True}
_TRUTH |= {"false": False, "0": False, "no": False, "off": False}
"""What a field may say of yes and no, in any case."""
_LONGEST = 10_000
"""Most characters of a field."""
_MAGIC = {b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}
_FIELDS = (
    *("model", "style", "mix", "strength", "size", "draft", "keep_colors", "format"),
    "clip",
)
_CLIP = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Asked(NamedTuple):
    """What a request wants of a photograph.

    Attributes:
        model: The model.
        weights: From `mix_weights`.
        size: Long side in pixels to which larger photographs are reduced.
        draft: Short side in pixels of the draft of larger photographs.
        keep_colors: Paint the brightness only.
        format: Of the answer; None for the photograph's.
        painting: The file of the painting that came with the photograph.
        clip: Of which film or camera the photograph is the next frame, if it is one.
    """

    model: Served
    weights: list[float]
    size: int
    draft: int
    keep_colors: bool
    format: str | None
    painting: bytes | None = None
    clip: str | None = None


def routes(service: Service) -> list[Route]:
    """Return the routes `/stylize` and `/styles`."""

    async def stylize(request: Request) -> Response:
        deadline = service.deadline()
        kind = media_type(request)
        is_form = kind == FORM
        if not is_form and not kind.startswith("image/"):
            raise HttpError(
                415,
                "send the photograph as image/* or as the field 'image' of"
                f" {FORM}, not as {kind or 'nothing'}",
                {"Accept": f"{FORM}, image/*"},
            )
        body = await service.body(request, deadline)
        fields = _single(request.query_params.multi_items())
        data, painting = body, None
        if is_form:
            files, more = await read_form(request, body)
            data, painting = files["image"], files.get(PAINTING)
            fields = _single([*fields.items(), *more.items()])
        asked = read_fields(fields, service, painting)
        arrived = time.perf_counter()

        def work(worker: int) -> Response:
            return answer(
                data,
                asked,
                worker,
                service.settings,
                arrived,
                service.ends(deadline),
            )

        response: Response = await service.run(
            request, work, deadline, model=asked.model
        )
        return response

    async def styles(_: Request) -> Response:
        listed = [
            {
                "name": model.name,
                "version": str(model.version),
                "paintings": bool(model.encoders),
                "styles": [
                    {
                        "name": name,
                        "credit": model.credit(name),
                        "thumbnail": f"styles/{model.name}/{model.version}/"
                        f"{quote(name)}.jpg",
                    }
                    for name in model.styles
                ],
            }
            for model in service.models
        ]
        limits = {"max_size": service.settings.max_size}
        return json_response({"models": listed, "limits": limits})

    async def thumbnail(request: Request) -> Response:
        name, version, style = (
            request.path_params[key] for key in ("model", "version", "style")
        )
        try:
            model = service.models.get(name)
        except KeyError:
            model = None
        if model is None or version != str(model.version) or style not in model.styles:
            raise HttpError(404, f"there is no style {style} of {name} {version}")

        def work(worker: int) -> bytes:
            found = thumbnail_of(model, worker, style)
            model.thumbnails[style] = found  # Too late for this request, for the next.
            return found

        data = model.thumbnails.get(style)
        if data is None:
            data = await service.run(request, work, service.deadline())
        # Another model at this address, after a new start, begins at version 1, too.
        headers = {"Cache-Control": "no-cache"}
        return Response(data, 200, headers, "image/jpeg")

    return [
        Route("/stylize", stylize, methods=["POST"]),
        Route("/styles", styles),
        Route("/styles/{model}/{version}/{style}.jpg", thumbnail),
    ]


def media_type(request: Request) -> str:
    """Return what a request says that its body is; "" if nothing."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Make what is wrong with a picture an answer.

    Raises:
        HttpError: Instead of an InputError.
    """
    try:
        yield
    except FormatError as error:
        raise HttpError(415, str(error)) from error
    except SizeError as error:
        raise HttpError(413, str(error)) from error
    except InputError as error:
        raise HttpError(422, str(error)) from error


class _InMemory(MultiPartParser):
    spool_max_size = 0  # Never onto the disk: the body is within its limit.


async def read_form(
    request: Request,
    body: bytes,
    *,
    needed: str = "image",
    files: Sequence[str] = ("image", PAINTING),
    known: Sequence[str] = _FIELDS,
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files and the fields of a form.

    Args:
        request: Whose body was read.
        body: What was read.
        needed: The file that must be there.
        files: Names of the files that may be.
        known: Names of the fields that may be.

    Raises:
        HttpError: It is no form, or has other files or fields than these.
    """

    async def stream() -> Any:
        yield body

    try:
        parser = _InMemory(
            request.headers, stream(), max_files=len(files), max_fields=len(known)
        )
        form = await parser.parse()
    except (MultiPartException, UnicodeError, KeyError, ValueError) as error:
        reason = getattr(error, "message", str(error))
        raise HttpError(400, f"the form can't be read: {reason}") from error
    try:
        given = [(k, v) for k, v in form.multi_items() if isinstance(v, UploadFile)]
        if [name for name, _ in given if name == needed] != [needed]:
            raise HttpError(422, f"the form needs one file named '{needed}'")
        found = {name: await file.read() for name, file in given}
        if found.keys() - set(files) or len(found) < len(given):
            names = " and ".join(f"'{name}'" for name in files)
            raise HttpError(422, f"the files of a form are {names}")
    finally:
        await form.close()
    texts = [(k, v) for k, v in form.multi_items() if isinstance(v, str)]
    return found, _single(texts, known)


def _single(
    items: list[tuple[str, str]], known: Sequence[str] = _FIELDS
) -> dict[str, str]:
    """Return fields by name, refusing unknown ones and repetitions."""
    names = [name for name, _ in items]
    for name in names:
        if name not in known:
            raise HttpError(
                422, f"there is no field {name!r}; there are {', '.join(known)}"
            )
        if names.count(name) > 1:
            raise HttpError(422, f"the field {name} is given twice")
    for name, value in items:
        if len(value) > _LONGEST:
            raise HttpError(
                422, f"the field {name} has {len(value)} characters; {_LONGEST} may be"
            )
    return dict(items)


def asked_model(service: Service, name: str | None) -> Served:
    """Return the model that a request names, or the default.

    Raises:
        HttpError: There is none of that name.
    """
    try:
        return service.models.get(name)
    except KeyError:
        known = ", ".join(model.name for model in service.models)
        raise HttpError(422, f"there is no model {name}; there are {known}") from None


def read_fields(
    fields: Mapping[str, str], service: Service, painting: bytes | None = None
) -> Asked:
    """Check what a request asks for.

    Args:
        fields: By their names.
        service: The models and the limits.
        painting: The file that came with the photograph.

    Raises:
        HttpError: A field has no meaning.
    """
    model = asked_model(service, fields.get("model"))
    most = service.settings.max_size
    size = _side(fields, "size", most, most)
    draft = _side(fields, "draft", min(DRAFT, most), most)
    kept = fields.get("keep_colors", "false")
    if kept.lower() not in _TRUTH:
        raise HttpError(422, f"keep_colors must be true or false, got {kept!r}")
    chosen = fields.get("format")
    if chosen is not None:
        chosen = _ALIASES.get(chosen.lower(), chosen.lower())
        if chosen not in FORMATS:
            raise HttpError(
                422, f"format must be one of {', '.join(FORMATS)}, got {chosen!r}"
            )
    clip = fields.get("clip")
    if clip is not None and not _CLIP.fullmatch(clip):
        raise HttpError(
            422, f"clip must be 1 to 64 letters, digits, '_' and '-', got {clip!r}"
        )
    if clip is not None and "draft" in fields:
        raise HttpError(422, "frames of a clip have no draft: leave one of them out")
    strength = fields.get("strength", "1")
    try:
        factor = float(strength)
    except ValueError as error:
        text = f"strength must be a number, got {strength!r}"
        raise HttpError(422, text) from error
    try:
        styles = list(model.styles)
        if painting is not None:
            if not model.encoders:
                raise InputError(f"the model {model.name} is not for any painting")
            styles.append(PAINTING)
        mix = _mix(fields, styles, painted=painting is not None)
        weights = mix_weights(styles, mix, strength=factor)
    except InputError as error:
        raise HttpError(422, str(error)) from error
    return Asked(
        model, weights, size, draft, _TRUTH[kept.lower()], chosen, painting, clip
    )


def _side(fields: Mapping[str, str], name: str, usual: int, most: int) -> int:
    """Return a field that is a side in pixels.

    Raises:
        HttpError: It is none, or out of `MIN_SIDE..most`.
    """
    text = fields.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 9) or not (
        MIN_SIDE <= int(text) <= most
    ):
        raise HttpError(
            422, f"{name} must be a whole number in {MIN_SIDE}..{most}, got {text!r}"
        )
    return int(text)


def _mix(
    fields: Mapping[str, str], styles: list[str], *, painted: bool
) -> dict[str, float]:
    given = [name for name in ("style", "mix") if name in fields]
    if painted and not given:
        return {PAINTING: 1.0}
    if len(given) != 1:
        known = f"the styles are {', '.join(styles)}" if styles else "send a painting"
        raise InputError(f"give style or mix; {known}")
    if "style" in fields:
        return {fields["style"]: 1.0}
    return parse_mix(fields["mix"])


def answer(
    data: bytes,
    asked: Asked,
    worker: int,
    settings: ServeSettings,
    arrived: float,
    check: Callable[[], None],
) -> Response:
    """Paint one photograph and return the whole answer.

    Args:
        data: The photograph's file.
        asked: What to do with it.
        worker: Number of the worker that runs this.
        settings: The limits.
        arrived: When it was queued, for the timings.
        check: Called between the parts of the work, see `Service.ends`.

    Raises:
        HttpError: The photograph can't be used.
    """
    times = [arrived, time.perf_counter()]
    with refusing():
        photo, alpha = decode_image(
            data, size=asked.size, max_pixels=settings.max_pixels
        )
        times.append(time.perf_counter())
        check()
        stylizer = asked.model.stylizers[worker]
        if asked.painting is not None:
            most = settings.max_pixels
            stylizer = asked.model.with_painting(asked.painting, worker, most)
            check()
        if asked.clip is None:
            picture = stylizer(photo, asked.weights, draft=asked.draft)
        else:
            picture = asked.model.clips.paint(
                asked.clip,
                stylizer,
                photo,
                asked.weights,
                worker=worker,
                seconds=arrived,
            )
        asked.model.statistics.painted()
    check()
    if asked.keep_colors:
        picture = keep_colors(picture, photo)
    times.append(time.perf_counter())
    name = asked.format or next(
        (kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "png"
    )
    encoded = encode_image(picture, FORMATS[name], alpha=alpha)
    times.append(time.perf_counter())
    steps = zip(("queue", "decode", "paint", "encode"), times, times[1:], strict=False)
    timing = ", ".join(
        f"{step};dur={1e3 * (end - start):.1f}" for step, start, end in steps
    )
    headers = {"Server-Timing": timing, "Cache-Control": "no-store"}
    return Response(encoded, 200, headers, f"image/{name}")


def thumbnail_of(model: Served, worker: int, style: str) -> bytes:
    """Return the JPEG of the project's scene in a style."""
    weights = mix_weights(model.styles, {style: 1.0})
    return encode_image(model.stylizers[worker](landscape(*THUMBNAIL), weights), "JPEG")
