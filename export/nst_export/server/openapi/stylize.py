"""`/stylize`: a photograph and fields in, a picture out."""

from nst_export.server.openapi.parts import Schema, errors
from nst_export.server.protocols.pictures import FORMATS
from nst_export.server.service import Service
from nst_tf.settings.checks import MIN_SIDE


def stylize(service: Service) -> Schema:
    """Describe the route."""
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
            **errors(400, 408, 413, 415, 422, 503),
        },
    }
