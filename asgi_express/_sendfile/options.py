"""What may be asked for when a file is sent, checked once and kept ready."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

from asgi_express._units import parse_duration
from asgi_express.types import Duration

__all__ = ["CODINGS", "DotFiles", "FileOptions", "FileSettings", "Names", "file_options"]

DotFiles: TypeAlias = Literal["allow", "deny", "ignore"]
Names: TypeAlias = str | Sequence[str] | Literal[False] | None

CODINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""Content codings and the suffixes of files in them, in the order in which equals are preferred."""

_YEAR = 365 * 24 * 60 * 60


class FileSettings(TypedDict, total=False):
    """The options of ``res.send_file`` that go through ``res.download``, as keyword arguments."""

    accept_ranges: bool
    cache_control: bool
    dotfiles: DotFiles
    end: int | None
    etag: bool | None
    extensions: Names
    follow_symlinks: bool
    immutable: bool
    index: Names
    last_modified: bool
    max_age: Duration
    multipart_ranges: bool
    precompressed: bool | Sequence[str]
    start: int


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Options in the form in which they are used.

    Attributes:
        root: the absolute directory that paths are joined to and kept in; ``None`` for absolute paths.
        cache_control: the value of ``Cache-Control``; ``None`` to send none.
        precompressed: content codings whose siblings are looked for, best first.
        start: the first byte of the file that counts as the resource.
        end: the last one; ``None`` for the last byte of the file.
    """

    root: str | None
    accept_ranges: bool
    cache_control: str | None
    dotfiles: DotFiles
    end: int | None
    etag: bool
    extensions: tuple[str, ...]
    follow_symlinks: bool
    index: tuple[str, ...]
    last_modified: bool
    multipart_ranges: bool
    precompressed: tuple[str, ...]
    start: int


def file_options(
    root: str | os.PathLike[str] | None = None,
    *,
    accept_ranges: bool = True,
    cache_control: bool = True,
    dotfiles: DotFiles = "ignore",
    end: int | None = None,
    etag: bool = True,
    extensions: Names = (),
    follow_symlinks: bool = False,
    immutable: bool = False,
    index: Names = "index.html",
    last_modified: bool = True,
    max_age: Duration = 0,
    multipart_ranges: bool = False,
    precompressed: bool | Sequence[str] = False,
    start: int = 0,
) -> FileOptions:
    """Check options and bring them into the form in which they are used.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: an option has a value that it cannot have.
    """
    if dotfiles not in ("allow", "deny", "ignore"):
        msg = f'dotfiles option must be "allow", "deny", or "ignore", not {dotfiles!r}'
        raise ValueError(msg)
    age = math.floor(min(max(0.0, _YEAR if max_age == math.inf else parse_duration(max_age)), _YEAR))
    immutably = ", immutable" if immutable else ""
    return FileOptions(
        root=None if root is None else os.path.abspath(os.fspath(root)),
        accept_ranges=accept_ranges,
        cache_control=f"public, max-age={age}{immutably}" if cache_control else None,
        dotfiles=dotfiles,
        end=None if end is None else _position("end", end),
        etag=etag,
        extensions=_names("extensions", extensions),
        follow_symlinks=follow_symlinks,
        index=_names("index", index),
        last_modified=last_modified,
        multipart_ranges=multipart_ranges,
        precompressed=_codings(precompressed),
        start=_position("start", start),
    )


def _position(option: str, value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{option} option must be an integer, the offset of a byte, not {value!r}"
        raise TypeError(msg)
    if value < 0:
        msg = f"{option} option must not be negative, not {value}"
        raise ValueError(msg)
    return value


def _names(option: str, value: Names) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value or ())
    if not all(isinstance(name, str) for name in names):
        msg = f"{option} option must be a name, a list of names or False, not {value!r}"
        raise TypeError(msg)
    return tuple(name for name in names if name) if isinstance(value, str) else names


def _codings(value: bool | Sequence[str]) -> tuple[str, ...]:  # noqa: FBT001 - the value of an option
    if isinstance(value, bool):
        return tuple(CODINGS) if value else ()
    by_suffix = {suffix: coding for coding, suffix in CODINGS.items()}
    codings = [by_suffix.get(name, name) for name in ((value,) if isinstance(value, str) else value)]
    for coding in codings:
        if coding not in CODINGS:
            words = ", ".join(f"{coding!r} ({suffix})" for coding, suffix in CODINGS.items())
            msg = f"precompressed option: unknown coding {coding!r}; there are {words}"
            raise ValueError(msg)
    return tuple(codings)
