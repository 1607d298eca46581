"""What is somewhere else: another entry, a directory, a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asgi_express.gateway._paths import located, names_in
from asgi_express.gateway._problems import Wrong, closest
from asgi_express.gateway._types.base import Context, Schema, expected
from asgi_express.gateway._yaml import Node

__all__ = ["FilePath", "KeyMaterial", "Pem", "Reference"]


@dataclass(frozen=True, slots=True)
class Reference:
    """The ID of another entry; without a namespace, one of the same."""

    kinds: tuple[str, ...]
    example: str = "the name of one in this file"

    @property
    def words(self) -> str:
        return "the ID of " + (f"a {' or '.join(self.kinds)}" if self.kinds else "an entry")

    @property
    def schema(self) -> Schema:
        return {"type": "string", "description": self.words}

    def read(self, node: Node, context: Context) -> str:
        if not isinstance(node.value, str) or not node.value:
            raise expected(self, node)
        return context.refer(node, self.kinds)


@dataclass(frozen=True, slots=True)
class FilePath:
    """A directory, relative to the file that names it."""

    words: str = "the path of a directory"
    example: str = "./public"

    @property
    def schema(self) -> Schema:
        return {"type": "string"}

    def read(self, node: Node, context: Context) -> Path:
        if not isinstance(node.value, str) or not node.value:
            raise expected(self, node)
        path = located(context.base, node.value)
        if not os.path.isdir(path):
            advice = closest(
                path.name, names_in(path.parent, os.path.isdir), otherwise=f"paths begin at {context.base}"
            )
            raise Wrong(f"there is no directory {node.shown}", suggestion=advice, code="missing-file", line=node.line)
        return path


@dataclass(frozen=True, slots=True)
class Pem:
    """A certificate or a key: as text, or from a file."""

    words: str = "PEM text, or file:// and the path of a PEM file"
    example: str = "file://cert.pem"

    @property
    def schema(self) -> Schema:
        return {"type": "string"}

    def read(self, node: Node, context: Context) -> str:
        text = node.value
        if not isinstance(text, str):
            raise expected(self, node)
        if text.startswith("file://"):
            path = context.base / text.removeprefix("file://")
            try:
                # Of a pipe nobody may write to, or of a device, there may be no end.
                text = path.read_text("ascii") if os.path.isfile(path) else ""
            except (OSError, UnicodeDecodeError):
                text = ""
            if not text:
                advice = f"paths begin at {context.base}"
                message = f"{node.shown} cannot be read"
                raise Wrong(message, suggestion=advice, code="missing-file", line=node.line)
        if "-----BEGIN " not in text:
            # not shown: it may be a key
            message = f"expected {self.words}; there is no -----BEGIN line"
            raise Wrong(message, suggestion=f"write {self.example}, say", line=node.line)
        return text


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """What tokens are verified with: a secret, a public key in PEM as text or from a file, or a JWK."""

    words: str = "a secret, a public key in PEM, file:// and the path of one, or a JWK"
    example: str = "${env:JWT_SECRET}"

    @property
    def schema(self) -> Schema:
        return {"type": ["string", "object"]}

    def read(self, node: Node, context: Context) -> Any:
        if isinstance(node.value, dict):
            return node.plain()
        if isinstance(node.value, str) and node.value.startswith("file://"):
            return Pem().read(node, context)
        if not isinstance(node.value, str) or not node.value:
            # not shown: it may be a secret that looks like a number
            raise Wrong(f"expected {self.words}", suggestion=f"write {self.example!r}, say", line=node.line)
        return node.value
