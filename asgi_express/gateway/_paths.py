"""Paths that people write: to loops of links, with endless names, to what may not be read or is gone meanwhile.

``pathlib`` raises for some of these, ``RuntimeError`` and ``OSError`` for others, each Python in its own way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["below", "fault_of", "located", "names_in"]


def located(base: Path, text: str) -> Path:
    """Return a path from where it begins, links followed as far as they lead.

    Args:
        base: what it is relative to.
        text: the path, with or without ``file://``.
    """
    return Path(os.path.realpath(base / text.removeprefix("file://")))


def fault_of(path: Path) -> str | None:
    """Return why there is nothing to be had at a path; ``None`` where something is, whatever it is."""
    try:
        os.stat(path)
    except OSError as error:
        is_absent = isinstance(error, FileNotFoundError | NotADirectoryError)
        return "there is no such file or directory" if is_absent else f"it cannot be read: {error.strerror}"
    except ValueError:  # half of a character
        return "no file or directory can have that name"
    return None


def names_in(directory: Path, fits: Callable[[str | Path], bool] = os.path.exists) -> list[str]:
    """Return what is in a directory, for advice; nothing where nobody can tell."""
    try:
        return [name for name in os.listdir(directory) if fits(directory / name)]
    except OSError:
        return []


def below(directory: Path, failed: Callable[[OSError], object] | None = None) -> Iterator[tuple[Path, list[str]]]:
    """Give a directory and those below, each with its files; links to directories and what is hidden are left out.

    Args:
        directory: the outermost one.
        failed: is told of those that cannot be read, or have vanished meanwhile; they are left out.
    """
    for place, directories, files in os.walk(directory, onerror=failed):
        directories[:] = [name for name in directories if not name.startswith(".")]
        yield Path(place), [name for name in files if not name.startswith(".")]
