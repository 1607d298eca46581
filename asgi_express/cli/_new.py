"""Make a project from a template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from asgi_express.cli._failure import Failure

__all__ = ["as_json", "make", "write_text"]


def make(directory: Path, template: str) -> list[Path]:
    """Write the files of a template, and return their paths. What is there stays as it is.

    Raises:
        Failure: the directory is not empty, its name is no name of a project, or it cannot be written.
    """
    name = directory.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        msg = f"{name!r} cannot be the name of a project: letters, digits, and . _ - between them"
        raise Failure(msg)
    if directory.exists() and any(directory.iterdir()):
        msg = f"{directory} is not empty"
        raise Failure(msg)
    root = resources.files("asgi_express.cli") / "templates" / template
    written = []
    for path, content in _files(root):
        target = directory / path.removesuffix(".in").replace("gitignore", ".gitignore")
        write_text(target, content.replace("{{name}}", name))
        written.append(target)
    return written


def _files(root: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for each in sorted(root.iterdir(), key=lambda one: one.name):
        if each.is_dir():
            yield from _files(each, f"{prefix}{each.name}/")
        else:
            yield prefix + each.name, each.read_text(encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write a file, and the directories around it.

    Raises:
        Failure: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise Failure(msg) from error


def as_json(value: Any) -> str:
    """Return JSON as it is written to files."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
