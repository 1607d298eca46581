"""The JSON Schema for editors: made of the declarations, equal to the file, and right about files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from asgi_express.gateway import check, schema
from asgi_express.gateway._kinds import KINDS
from asgi_express.gateway._problems import Problems
from asgi_express.gateway._yaml import parse
from tests.gateway.page import SCHEMA
from tests.gateway.serving import HERE

ROOT = HERE.parents[1]
VALIDATOR = jsonschema.Draft202012Validator(schema())
RIGHT = [ROOT / "examples" / "gateway" / "app.yaml", *sorted((HERE / "seed").glob("*.yaml"))]


def faults(path: Path) -> list[Any]:
    """Read as an editor does, by YAML 1.2, in which ``yes`` is text."""
    node = parse(path.read_text(), path.name, Problems())
    return list(VALIDATOR.iter_errors(node and node.plain()))


def test_the_committed_file_is_what_the_declarations_say() -> None:
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(schema()))


def test_it_is_a_schema_and_has_every_kind() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert set(schema()["$defs"]) == {"entry", *KINDS}


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.name)
def test_files_that_are_right_are_right_for_editors(path: Path) -> None:
    assert faults(path) == []


# Of these faults an editor cannot know: they are of several entries, of other files, or of values that need a program.
BEYOND = (
    *(
        "cycle",
        "duplicate",
        "environment",
        "missing_directory",
        "directory_nowhere",
        "missing_file",
        "missing_function",
        "missing_option",
    ),
    *(
        "no_service",
        "unknown_middleware",
        "unknown_option",
        "unknown_reference",
        "unreachable",
        "unsafe",
        "wrong_function",
    ),
    *("wrong_reference", "baseline", "spa", "tls", "yaml", "wrong_option_range", "wrong_value_token_key"),
    *("wrong_value_port", "wrong_value_rest", "wrong_value_pattern", "wrong_value_condition", "wrong_value_expression"),
    *("wrong_value_duration", "head_namespace", "jwt", "wrong_value_addr_host"),
)
WRONG = [path for path in sorted((HERE / "broken").glob("*.yaml")) if not path.stem.startswith(BEYOND)]


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_files_with_faults_of_form_are_wrong_for_editors_too(path: Path) -> None:
    assert faults(path)
    assert check(path, environment={})


def test_there_are_many_faults_that_an_editor_can_see() -> None:
    assert len(WRONG) >= 20
