"""What goes to the terminal, and what goes to a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, RenderableType

__all__ = ["say", "show", "working", "write_json"]

# A pipe has no width: what a program reads must not be cut or wrapped.
_PIPE_WIDTH = 10_000


def show(what: RenderableType) -> None:
    """Print something that rich draws; in colour only on a terminal."""
    is_terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if is_terminal else _PIPE_WIDTH, markup=False, highlight=False)
    console.print(what, soft_wrap=not is_terminal)


def say(text: str) -> None:
    """Print a line for people, on stderr: stdout is for what was asked."""
    click.echo(text, err=True)


def write_json(value: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show on a terminal that something is going on."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True, markup=False).status(text):
        yield
