"""The server against its own OpenAPI document, by schemathesis."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from tests.serving import serving

LIMITS = ("--max-bytes", "400000", "--max-size", "64")
UNSAID = ("positive_data_acceptance",)
"""Checks left out: a schema can't say that bytes must be a photograph, that lists must
be a tensor, or that style and mix exclude each other."""


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("serve"), *LIMITS) as (_, where):
        yield schemathesis.openapi.from_url(f"{where}/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_what_the_document_says(document, mode):
    left_out = [CHECKS.get_one(name) for name in UNSAID]
    tried = set()
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            tried.add((case.method, case.path))
            case.call_and_validate(excluded_checks=left_out, timeout=60)

        try:
            check()
        except Unsatisfiable:
            # Nothing is wrong for a route without input.
            assert mode is GenerationMode.NEGATIVE
    assert ("POST", "/stylize") in tried
    assert len(tried) > 10


def test_the_document_names_every_route(document):
    paths = set(document.raw_schema["paths"])
    assert {"/stylize", "/styles", "/healthz", "/metrics"} <= paths
    assert "/v1/models/{name}/versions/{version}:predict" in paths
    assert "/v2/models/{name}/versions/{version}/infer" in paths


def test_generators_of_clients_find_names_groups_and_bytes(document):
    raw = document.raw_schema
    operations = [
        operation for path in raw["paths"].values() for operation in path.values()
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    tags = {tag["name"] for tag in raw["tags"]}
    assert {tag for operation in operations for tag in operation["tags"]} == tags
    stylize = raw["paths"]["/stylize"]["post"]
    binary = {"type": "string", "format": "binary"}
    for kind in ("jpeg", "png", "webp"):
        content = stylize["responses"]["200"]["content"]
        assert content[f"image/{kind}"]["schema"] == binary
    # The form and the query have the same fields, each of the same schema.
    form = stylize["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form == {"$ref": "#/components/schemas/StylizeForm"}
    fields = dict(raw["components"]["schemas"]["StylizeForm"]["properties"])
    for name in ("image", "painting"):
        file = fields.pop(name)
        assert (file["type"], file["format"]) == ("string", "binary")
    for one in stylize["parameters"]:
        described = {**one["schema"], "description": one["description"]}
        assert fields.pop(one["name"]) == described
    assert fields == {}
