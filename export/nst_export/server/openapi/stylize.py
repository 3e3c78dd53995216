"""`/stylize`: a photograph and fields in, a picture out."""

from nst_export.runtime.drafts import DRAFT
from nst_export.runtime.mix import STRONGEST
from nst_export.server.openapi.parts import BINARY, PICTURES, TEXT, Schema, errors
from nst_export.server.protocols.new_styles import NAME
from nst_export.server.protocols.pictures import FORMATS
from nst_export.server.service import Service
from nst_tf.settings.checks import MIN_SIDE

_SHARED = {"model": "ModelName", "style": "StyleName", "format": "PictureFormat"}
"""Fields whose schema has a name, so that clients have one type for it."""


def fields(service: Service) -> dict[str, Schema]:
    """Return the schemas of the fields by their names among the components."""
    described = _described(service)
    named = {name: described[field][0] for field, name in _SHARED.items()}
    form = {
        "type": "object",
        "description": "Give `style`, `mix` or `painting`.",
        "required": ["image"],
        "properties": {
            "image": {**BINARY, "description": "The photograph."},
            "painting": {
                **BINARY,
                "description": "The painting in whose manner to paint, for a model that"
                " takes any; it is the style `painting`.",
            },
            **{
                name: {**_schema(name, schema), "description": text}
                for name, (schema, text) in described.items()
            },
        },
        "additionalProperties": False,
    }
    return {**named, "StylizeForm": form}


def stylize(service: Service) -> Schema:
    """Describe the route."""
    pictures: Schema = {f"image/{name}": {"schema": BINARY} for name in FORMATS}
    return {
        "operationId": "stylize",
        "tags": [PICTURES],
        "summary": "Paint a photograph",
        "description": "The photograph is the field `image` of a form, or the whole"
        " body; then the other fields stand in the query. Give `style` or `mix`; a form"
        " may have a `painting` instead.",
        "parameters": [
            {
                "name": name,
                "in": "query",
                "schema": _schema(name, schema),
                "description": text,
            }
            for name, (schema, text) in _described(service).items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {"$ref": "#/components/schemas/StylizeForm"}
                },
                "image/*": {"schema": BINARY},
            },
        },
        "responses": {
            "200": {
                "description": "The painting; Server-Timing says what took how long",
                "content": pictures,
            },
            **errors(400, 408, 413, 415, 422, 503),
        },
    }


def new_style(service: Service) -> Schema:
    """Describe `POST /styles`."""
    names = [model.name for model in service.models if model.encoders]
    form: Schema = {
        "type": "object",
        "required": ["painting", "name"],
        "properties": {
            "painting": {**BINARY, "description": "The painting."},
            "name": {
                "type": "string",
                "pattern": f"^{NAME}$",
                "description": "What the style is to be called.",
            },
            "model": {
                "type": "string",
                "enum": names,
                "description": f"The model that paints by it; without it {names[0]}.",
            },
            "credit": {**TEXT, "description": "Whose work the painting is."},
            "licence": {**TEXT, "description": "Of the painting."},
        },
        "additionalProperties": False,
    }
    added: Schema = {
        "type": "object",
        "required": ["model", "style"],
        "properties": {"model": TEXT, "style": TEXT},
    }
    return {
        "operationId": "add_style",
        "tags": [PICTURES],
        "summary": "Make a painting a style of the server",
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": form}},
        },
        "responses": {
            "201": {
                "description": "The style is there",
                "content": {"application/json": {"schema": added}},
            },
            **errors(400, 408, 409, 413, 415, 422, 503, 507),
        },
    }


def _schema(name: str, schema: Schema) -> Schema:
    """Return the schema of a field, by its name if it has one."""
    if name not in _SHARED:
        return schema
    return {"$ref": f"#/components/schemas/{_SHARED[name]}"}


def _described(service: Service) -> dict[str, tuple[Schema, str]]:
    """Return the schema and the meaning of every field."""
    models = list(service.models)
    names = list(dict.fromkeys(style for model in models for style in model.styles))
    most = service.settings.max_size
    return {
        "model": (
            {"type": "string", "enum": [model.name for model in models]},
            f"The model; without it {service.models.default}.",
        ),
        "style": ({"type": "string", **_choice(names)}, "The style."),
        "mix": (
            {"type": "string", "examples": [_example(names)]},
            "Several styles with their shares instead: NAME=SHARE,NAME=SHARE.",
        ),
        "strength": (
            {"type": "number", "minimum": 0, "maximum": STRONGEST, "default": 1},
            "0 is the photograph, 1 the style as trained; above it, it takes more.",
        ),
        "size": (
            {"type": "integer", "minimum": MIN_SIDE, "maximum": most},
            "Long side in pixels to which larger photographs are reduced; without it"
            f" {most}.",
        ),
        "draft": (
            {"type": "integer", "minimum": MIN_SIDE, "maximum": most},
            "Short side in pixels at which larger photographs are drafted: the smaller,"
            " the larger the forms; as much as theirs paints in one pass. Without it"
            f" {min(DRAFT, most)}. Not with clip.",
        ),
        "keep_colors": (
            {"type": "boolean", "default": False},
            "Paint the brightness only; colours stay the photograph's.",
        ),
        "format": (
            {"type": "string", "enum": list(FORMATS)},
            "Of the answer; without it the photograph's.",
        ),
        "clip": (
            {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
            "A name of your choice: the photograph is the next frame of that film or"
            " camera, and flickers less against the last.",
        ),
    }


def _choice(names: list[str]) -> Schema:
    return {"enum": names} if names else {}


def _example(names: list[str]) -> str:
    first, last = (names[0], names[-1]) if names else ("painting", "painting")
    return f"{first}=0.6,{last}=0.4" if first != last else f"{first}=1"
