"""A JSON Schema for editors, made of the declarations of kinds and of the options of middleware."""

from __future__ import annotations

from typing import Any

from asgi_express.gateway._kinds import KINDS, OPEN, Kind, nested
from asgi_express.gateway._middleware import Spec, builtin, patterns

__all__ = ["schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_STACKS = {"options": False, "post_options": True}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of entries. It cannot know middleware that is not of this package.

    In an editor with a YAML language server, the first line of a file names it:
    ``# yaml-language-server: $schema=gateway.schema.json``.

    Example::

        schema()["required"]  # -> ["version", "namespace", "entries"]
    """
    return {
        "$schema": _DRAFT,
        "title": "A gateway of asgi-express",
        "type": "object",
        "properties": {
            "version": {"enum": ["1.0", 1.0, 1]},
            "namespace": {"type": "string"},
            "entries": {"type": "array", "items": {"$ref": "#/$defs/entry"}},
        },
        "required": ["version", "namespace", "entries"],
        "additionalProperties": False,
        "$defs": {
            "entry": {
                "type": "object",
                "properties": {"kind": {"enum": list(KINDS)}},
                "required": ["name", "kind"],
                "allOf": [
                    {
                        "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                        "then": {"$ref": f"#/$defs/{name}"},
                    }
                    for name in KINDS
                ],
            },
            **{name: _kind(kind) for name, kind in KINDS.items()},
        },
    }


def _kind(kind: Kind) -> dict[str, Any]:
    made = nested(kind.fields, opened=OPEN)
    properties = made["properties"]
    for field, is_post in _STACKS.items():
        if field in properties:
            properties[field] = _options(properties[field]["description"], is_post=is_post)
    properties["name"] = {"type": "string", "pattern": r"^[A-Za-z_][\w.-]*$"}
    properties["kind"] = {"const": kind.name}
    properties.setdefault("meta", {"type": "object", "additionalProperties": True})
    made["required"] = ["name", "kind", *made["required"]]
    made["description"] = kind.doc
    return made


def _options(description: str, *, is_post: bool) -> dict[str, Any]:
    specs = [spec for spec in builtin().values() if spec.post is is_post]
    made: dict[str, Any] = {"type": "object", "description": description, "properties": {}, "patternProperties": {}}
    for spec in specs:
        for option in spec.options.values():
            # For completion; what it can be, its pattern says, which stands for all spellings.
            made["properties"][f"{spec.name}.{option.name.replace('_', '.')}"] = {"description": option.type.words}
        for pattern, option in patterns(spec):
            made["patternProperties"][pattern] = _option(spec, option.name)
    return made


def _option(spec: Spec, name: str) -> dict[str, Any]:
    option = spec.options[name]
    described: dict[str, Any] = dict(option.type.schema)
    if option.nullable:
        described = {"anyOf": [described, {"type": "null"}]}
    default = spec.defaults.get(name, option.default)
    if isinstance(default, str | int | float):
        described["default"] = default
    elif isinstance(default, tuple) and default:
        described["default"] = list(default)
    return described
