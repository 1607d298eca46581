"""Which files make a registry: a file, several, a directory of them, or text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from asgi_express.gateway._paths import below, fault_of, names_in
from asgi_express.gateway._problems import Problems, closest
from asgi_express.gateway._yaml import MAX_BYTES

__all__ = ["Document", "Signature", "Source", "files_in", "paths_of", "read_sources", "signature_of"]

Source: TypeAlias = "str | os.PathLike[str]"
"""A file, a directory, or the text of a file (which has more than one line)."""

SUFFIXES = (".yaml", ".yml")
_MAX_FILES = 1000
_PERMISSIONS = "look at its permissions"
_SOURCES = "name the directory, or the files, of the entries"


Signature: TypeAlias = "tuple[int, int, int] | None"
"""What a file looks like from outside: when it was written, its size, which file it is; ``None`` without one."""


def signature_of(path: Path) -> Signature:
    """Look at a file without reading it."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one file.

    Attributes:
        name: what to call it in problems.
        text: what it says.
        base: what paths in it are relative to.
        path: where it is; ``None`` for text.
        signature: what it looked like just before it was read.
    """

    name: str
    text: str
    base: Path
    path: Path | None = None
    signature: Signature = None


def read_sources(sources: Iterable[Source], problems: Problems) -> list[Document]:
    """Read all files, in the order of the sources and, in a directory, of their names."""
    documents: dict[Path | int, Document] = {}
    for source in sources:
        if is_text(source):
            documents[len(documents)] = Document("<text>", str(source), Path.cwd())
            continue
        for path in _files(Path(source), problems):
            document = _read(path, problems)
            if document is not None:
                documents.setdefault(path.resolve(), document)
    return list(documents.values())


def is_text(source: Source) -> bool:
    """Tell whether a source is the text of a file, and not its path."""
    return isinstance(source, str) and ("\n" in source or not source)


def paths_of(sources: Iterable[Source]) -> list[Path]:
    """Return the sources that are paths."""
    return [Path(source) for source in sources if not is_text(source)]


def files_in(directory: Path, failed: Callable[[OSError], object] | None = None) -> list[Path]:
    """Return the files of entries in a directory and below, by name; what is hidden is left out."""
    found = (place / name for place, names in below(directory, failed) for name in names if name.endswith(SUFFIXES))
    return sorted(each for each in found if os.path.isfile(each))


def _files(path: Path, problems: Problems) -> Iterator[Path]:
    if os.path.isfile(path):
        yield path
    elif os.path.isdir(path):
        failed: list[OSError] = []
        found = files_in(path, failed.append)
        # Of a directory that is gone nothing is missed.
        closed = [error for error in failed if not isinstance(error, FileNotFoundError)]
        for error in closed:
            message = f"the directory cannot be read: {error.strerror}"
            problems.add("missing-file", message, file=str(error.filename), line=1, suggestion=_PERMISSIONS)
        if not (found or closed) or len(found) > _MAX_FILES:
            words = f"there is no {' or '.join(SUFFIXES)} file" if not found else f"there are over {_MAX_FILES} files"
            problems.add("missing-file", f"{words} in the directory", file=str(path), line=1, suggestion=_SOURCES)
            return
        yield from found
    else:
        fault = fault_of(path)
        message = fault or "it is neither a file nor a directory"
        advice = closest(path.name, names_in(path.parent) if fault else (), otherwise=_SOURCES)
        problems.add("missing-file", message, file=str(path), line=1, suggestion=advice)


def _read(path: Path, problems: Problems) -> Document | None:
    raw = b""
    signature = signature_of(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        return Document(str(path), raw.decode("utf-8-sig"), path.parent.resolve(), path.resolve(), signature)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.add("yaml", "the file is not UTF-8", file=str(path), line=line, suggestion="save it as UTF-8")
    except OSError as error:
        problems.add(
            "missing-file",
            f"the file cannot be read: {error.strerror}",
            file=str(path),
            line=1,
            suggestion=_PERMISSIONS,
        )
    return None
