"""The headers of one part: whose field it is, and what the file is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from asgi_express._charset import codec, decode
from asgi_express.body._media import parameters
from asgi_express.body.multipart._errors import broken
from asgi_express.errors import BodyError

__all__ = ["Head", "read_head"]

# The HTML standard has browsers write these three so, and nothing else (multipart-form-data, escape a name).
_ESCAPES = re.compile("%(?:0A|0D|22)", re.IGNORECASE)
_ESCAPED = {"%0a": "\n", "%0d": "\r", "%22": '"'}

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_EXTENDED = re.compile(r"([A-Za-z0-9_-]+)'[^']*'(.+)", re.DOTALL)
_TYPE = re.compile(r"[^\s;/]+/[^\s;/]+")


@dataclass(frozen=True, slots=True)
class Head:
    """What the headers of a part say.

    Attributes:
        name: the name of the field; ``None`` if there is none.
        raw_name: as it was written, before the escapes of browsers are undone.
        is_file: whether it is a file.
        filename: the last part of the file's name, without control characters; ``None`` if it has no name.
        raw_filename: the name as the client gave it.
        content_type: the type that the client gave, ``"text/plain"`` for none.
        charset: the charset of the value of a field.
        encoding: ``Content-Transfer-Encoding``, ``"7bit"`` for none.
    """

    name: str | None
    raw_name: str
    is_file: bool
    filename: str | None
    raw_filename: str | None
    content_type: str
    charset: str
    encoding: str


def read_head(headers: dict[str, str]) -> Head | None:
    """Return what the headers of a part say; ``None`` if it is no part of a form, which busboy skips too.

    Args:
        headers: the first header of each name, names in lower case.

    Raises:
        BodyError: 400, it has no headers at all.
    """
    if not headers:
        raise broken("Malformed part header")
    disposition = headers.get("content-disposition", "")
    if disposition.partition(";")[0].strip().lower() != "form-data":
        return None
    told = parameters(disposition)
    raw_name = told.get("name", "")
    given = _extended(told.get("filename*", "")) or told.get("filename")
    raw_filename = _unescape(given) if given else None
    type_header = headers.get("content-type", "")
    match = _TYPE.match(type_header.strip())
    content_type = match[0].lower() if match else "text/plain"
    return Head(
        name=_unescape(raw_name) or None,
        raw_name=raw_name,
        is_file=raw_filename is not None or content_type == "application/octet-stream",
        filename=None if raw_filename is None else _base(raw_filename),
        raw_filename=raw_filename,
        content_type=content_type,
        charset=parameters(type_header).get("charset", "") or "utf-8",
        encoding=headers.get("content-transfer-encoding", "7bit").lower(),
    )


def _unescape(text: str) -> str:
    return _ESCAPES.sub(lambda found: _ESCAPED[found[0].lower()], text)


def _base(name: str) -> str | None:
    """Return the last part of a path of any system, without what a terminal or a log would obey."""
    base = _CONTROLS.sub("", re.split(r"[/\\]", name)[-1])
    return None if base in ("", ".", "..") else base


def _extended(text: str) -> str | None:
    """Return a name in the notation of RFC 8187, ``UTF-8''%e2%82%ac.txt``; ``None`` if it is not in it."""
    match = _EXTENDED.fullmatch(text)
    if match is None or codec(match[1]) is None:
        return None
    try:
        return decode(unquote_to_bytes(match[2]), match[1])
    except BodyError:
        return None
