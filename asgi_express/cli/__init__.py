"""The command line: ``asgi-express serve`` and its like. It needs the extra ``cli``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    try:
        from asgi_express.cli._commands import commands
    except ImportError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.stderr.write(f"asgi-express needs {error.name}: pip install 'asgi-express[cli]'\n")
        sys.exit(3)
    commands()
