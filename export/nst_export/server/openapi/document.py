"""The OpenAPI document of the server."""

from nst_export.server.openapi.parts import (
    ANYTHING,
    BINARY,
    PICTURES,
    SERVER,
    TAGS,
    TEXT,
    Schema,
    errors,
    get,
    path_parameter,
)
from nst_export.server.openapi.stylize import fields, new_style, stylize
from nst_export.server.openapi.tensors import kserve, tf_serving
from nst_export.server.service import Service
from nst_tf import __version__

_STYLES: Schema = {
    "type": "object",
    "required": ["models", "limits"],
    "properties": {
        "models": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "version", "paintings", "styles"],
                "properties": {
                    "name": TEXT,
                    "version": TEXT,
                    "paintings": {
                        "type": "boolean",
                        "description": "Whether a painting may come with a photograph.",
                    },
                    "styles": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name", "credit", "thumbnail"],
                            "properties": {
                                "name": TEXT,
                                "credit": TEXT,
                                "thumbnail": TEXT,
                            },
                        },
                    },
                },
            },
        },
        "limits": ANYTHING,
    },
}


def document(service: Service) -> Schema:
    """Return OpenAPI 3.1 for the models and limits of a server."""
    models = list(service.models)
    allowed = service.settings.allow_new_styles is not None
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nst-tf",
            "version": __version__,
            "description": "Neural style transfer: photographs in, paintings out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": {
            "/stylize": {"post": stylize(service)},
            "/styles": {
                "get": get(
                    "list_styles",
                    PICTURES,
                    "Every style, with a picture of it",
                    {"$ref": "#/components/schemas/Styles"},
                ),
                **({"post": new_style(service)} if allowed else {}),
            },
            "/styles/{model}/{version}/{style}.jpg": {
                "get": {
                    "operationId": "style_picture",
                    "tags": [PICTURES],
                    "summary": "The project's scene in a style",
                    "parameters": [
                        path_parameter("model", [model.name for model in models]),
                        path_parameter(
                            "version", [str(model.version) for model in models]
                        ),
                        path_parameter(
                            "style", [s for model in models for s in model.styles]
                        ),
                    ],
                    "responses": {
                        "200": {
                            "description": "A picture",
                            "content": {"image/jpeg": {"schema": BINARY}},
                        },
                        **errors(404, 503),
                    },
                }
            },
            **tf_serving(service),
            **kserve(service),
            "/healthz": {
                "get": get("healthz", SERVER, "Whether the server lives", ANYTHING)
            },
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "tags": [SERVER],
                    "summary": "Counters for Prometheus",
                    "responses": {
                        "200": {
                            "description": "Prometheus' text format",
                            "content": {"text/plain": {"schema": TEXT}},
                        }
                    },
                }
            },
        },
        "components": {
            "schemas": {
                "Styles": _STYLES,
                **fields(service),
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": TEXT},
                    "additionalProperties": False,
                },
            }
        },
    }
