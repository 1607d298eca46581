"""How a command ends that cannot do what it was asked."""

from __future__ import annotations

from typing import IO, Any

import click

__all__ = ["CANNOT", "USAGE", "WRONG", "Failure"]

WRONG = 1
"""What was asked about is not right: problems in files, a token that is not valid."""

USAGE = 2
"""The command line itself is wrong; click's own."""

CANNOT = 3
"""It cannot be done: no such file, an import that fails, an address in use, a store that is away."""


class Failure(click.ClickException):
    """Words for stderr, and an exit code."""

    exit_code = CANNOT

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the words."""
        click.echo(click.style("error: ", fg="red", bold=True) + self.format_message(), file=file, err=file is None)
