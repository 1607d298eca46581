"""File extensions and media types: ``mime-types`` 3.0 over mime-db.

Not the ``mimetypes`` of the standard library: it reads the tables of the machine it runs on, and
knows neither the conflicts that Express resolves nor charsets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["charset_for", "content_type", "extension", "lookup", "with_charset"]

_TYPE = re.compile(r"\s*([^;\s]*)")


class _Tables(NamedTuple):
    types: dict[str, str]
    extensions: dict[str, str]
    charsets: dict[str, str]


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    """Read the table when it is first asked: an application may never ask, and its import stays cheap."""
    from asgi_express._mime_types import TYPES

    tables = _Tables({}, {}, {})
    for top, entries in TYPES.items():
        for entry in entries.split(";"):
            subtype, *words = entry.split()
            media_type = f"{top}/{subtype}"
            if words and words[0][0] == "=":
                tables.charsets[media_type] = words.pop(0)[1:]
            if words:
                tables.extensions[media_type] = words[0].removeprefix("-")
            # A hyphen marks an extension that another type has, for a higher score.
            tables.types.update((name, media_type) for name in words if name[0] != "-")
    return tables


def lookup(name: str) -> str | None:
    """Return the type for an extension, with its dot or without, or a file name; ``None`` if unknown."""
    base = f"x.{name}".rstrip("/").rpartition("/")[2]
    # A name that begins with its only dot has no extension, in a directory: "a/.json".
    stem, _, suffix = base.rpartition(".")
    return _tables().types.get(suffix.lower()) if stem else None


def _essence(media_type: str) -> str:
    match = _TYPE.match(media_type)
    return match[1].lower() if match else ""


def charset_for(media_type: str) -> str | None:
    """Return the charset that a type has unless it says another: ``"UTF-8"`` for text and what mime-db tells.

    Args:
        media_type: a type; its parameters are ignored.
    """
    essence = _essence(media_type)
    return _tables().charsets.get(essence) or ("UTF-8" if essence.startswith("text/") else None)


def with_charset(media_type: str) -> str:
    """Return a type with ``; charset=`` added, if it has a charset by default and names none itself."""
    if "charset" in media_type:
        return media_type
    charset = charset_for(media_type)
    return f"{media_type}; charset={charset.lower()}" if charset else media_type


def content_type(name: str) -> str | None:
    """Return a ``Content-Type`` value for a type or an extension, with its charset; ``None`` if unknown."""
    media_type = name if "/" in name else lookup(name)
    return with_charset(media_type) if media_type else None


def extension(media_type: str) -> str | None:
    """Return the preferred extension of a type, without a dot; ``None`` if it has none."""
    return _tables().extensions.get(_essence(media_type))
