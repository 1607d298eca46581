"""Query strings: ``querystring`` of Node for ``simple``, ``qs`` 6.17 for ``extended``.

Results are plain dictionaries, in which ``__class__`` or ``constructor`` is only text. Time grows
linearly with the text: parameters beyond the limit are cut off before anything is decoded, and
merging one into the tree takes steps bounded by the depth. The tree itself is in `_query_tree`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_to_bytes

from asgi_express._query_tree import QueryValue, join, merge, plain, record, wrap

__all__ = ["QueryValue", "extended", "pairs", "simple"]

_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED_BYTE = re.compile(rb"%([0-9A-Fa-f]{2})")
_OPEN = re.compile("%5B", re.IGNORECASE)
_CLOSE = re.compile("%5D", re.IGNORECASE)
_BRACKET = re.compile(r"[\[\]]")
_ENTITY = re.compile(r"&#([0-9]+);")

# Beyond this, merging and copying would come near to Python's recursion limit.
_MAX_DEPTH = 100

# A check mark as a browser sends it from a form in UTF-8, and from one in Latin-1.
_SENTINELS = {"utf8=%E2%9C%93": "utf-8", "utf8=%26%2310003%3B": "iso-8859-1"}


def simple(query: str, *, parameter_limit: int = 1000) -> dict[str, str | list[str]]:
    """Parse a query string flatly, as Node's ``querystring.parse`` does.

    A name that comes again collects a list, ``+`` is a space, ``;`` separates nothing. Escapes that
    are not UTF-8 become U+FFFD, a ``%`` that begins no escape stays.

    Args:
        query: the text after the ``?``.
        parameter_limit: how many parameters count, empty ones included; the rest is ignored.
    """
    result: dict[str, str | list[str]] = {}
    for part in _parts(query, parameter_limit):
        if not part:
            continue
        name, _, text = part.partition("=")
        key, value = _lenient(name), _lenient(text)
        present = result.get(key)
        if present is None:
            result[key] = value
        elif isinstance(present, list):
            present.append(value)
        else:
            result[key] = [present, value]
    return result


def pairs(form: str) -> Iterator[tuple[str, str]]:
    """Give the names and values of a form in their order, as the URL standard's parser of such forms does.

    https://url.spec.whatwg.org/#urlencoded-parsing: what is no escape stays, what is not UTF-8 becomes U+FFFD.
    """
    for part in form.split("&"):
        if part:
            name, _, value = part.partition("=")
            yield _replaced(name), _replaced(value)


def _replaced(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    # urllib's unquote splits at every percent sign: 1 MiB of them hold the interpreter's lock for 60 ms, here 20.
    return _ESCAPED_BYTE.sub(_byte, text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes((int(escape[1], 16),))


def _parts(query: str, limit: int) -> list[str]:
    return query.split("&", limit)[:limit] if query else []


def _lenient(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    if not _ESCAPE.search(text):
        return text
    if not _BAD_ESCAPE.search(text):
        try:
            return unquote(text, errors="strict")
        except UnicodeDecodeError:
            pass
    # Node falls back to its byte decoder, which sees characters as bytes, the raw ones too.
    return unquote_to_bytes(text.encode("latin-1", "replace")).decode("utf-8", "replace")


def extended(
    query: str,
    *,
    depth: int = 5,
    parameter_limit: int = 1000,
    array_limit: int = 20,
    strict_depth: bool = False,
    charset: str = "utf-8",
    charset_sentinel: bool = False,
    interpret_numeric_entities: bool = False,
) -> dict[str, QueryValue]:
    """Parse a query string into nested dictionaries and lists, as ``qs`` does for Express.

    ``a[b]=1`` nests, ``a[]=1`` and ``a[0]=1`` make lists, dots are literal, ``__proto__`` is dropped.

    Args:
        query: the text after the ``?``.
        depth: how many brackets nest; the rest of the key is kept as one literal key. At most 100.
        parameter_limit: how many parameters count; the rest is ignored.
        array_limit: how many items a list may have and, exclusively, the highest index; beyond it,
            a dictionary with indices as keys. One limit for every notation (CVE-2025-15284).
        strict_depth: whether a key that is nested deeper is an error.
        charset: ``"utf-8"`` or ``"iso-8859-1"``, of the escapes.
        charset_sentinel: whether a parameter ``utf8=✓`` tells the charset, and is dropped.
        interpret_numeric_entities: whether ``&#10003;`` in ISO-8859-1 values is a character.

    Raises:
        ValueError: ``strict_depth``, and a key is nested deeper than ``depth``.
    """
    if "%5" in query:  # brackets are brackets whether escaped or not
        query = _CLOSE.sub("]", _OPEN.sub("[", query))
    parts = _parts(query, parameter_limit)
    if charset_sentinel:
        charset = _take_sentinel(parts, charset)
    entities = interpret_numeric_entities and charset == "iso-8859-1"
    values: dict[str, list[str]] = {}
    for part in parts:
        name, text = _split(part)
        key, value = _decode(name, charset), _decode(text, charset)
        values.setdefault(key, []).append(_ENTITY.sub(_character, value) if entities else value)
    values.pop("", None)
    if "[" in query:
        return _nest(values, min(depth, _MAX_DEPTH), array_limit, strict=strict_depth)
    values.pop("__proto__", None)
    return {key: plain(join(items, array_limit)) for key, items in values.items()}


def _take_sentinel(parts: list[str], charset: str) -> str:
    """Drop the first parameter ``utf8=`` and return the charset that it tells."""
    for index, part in enumerate(parts):
        if part.startswith("utf8="):
            del parts[index]
            return _SENTINELS.get(part, charset)
    return charset


def _split(part: str) -> tuple[str, str]:
    """Part a parameter at the first ``]=``, for a key may hold ``=`` in brackets, else at the first ``=``."""
    at = part.find("]=")
    if at >= 0:
        return part[: at + 1], part[at + 2 :]
    name, _, value = part.partition("=")
    return name, value


def _decode(text: str, charset: str) -> str:
    """Decode all escapes of a text, or none if one of them is not valid in UTF-8."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    if charset == "iso-8859-1":
        return unquote(text, encoding="latin-1")
    if _BAD_ESCAPE.search(text):
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def _character(entity: re.Match[str]) -> str:
    code = int(entity[1][-9:])  # ten digits and more name no character
    if len(entity[1]) > 9 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return chr(code)


def _nest(values: dict[str, list[str]], depth: int, array_limit: int, *, strict: bool) -> dict[str, QueryValue]:
    root = record({})
    for key in _in_order(values):
        chain = _segments(key, depth, strict=strict)
        merge(root, wrap(chain, join(values[key], array_limit), array_limit), array_limit)
    return {key: plain(value) for key, value in root.items.items()}


def _in_order(keys: dict[str, list[str]]) -> list[str]:
    """Put integers first, in numerical order, as JavaScript walks over the keys of an object."""
    return sorted(keys, key=lambda key: (0, int(key)) if _is_index(key) else (1, 0))


def _is_index(key: str) -> bool:
    return len(key) < 10 and key.isascii() and key.isdigit() and (key[0] != "0" or key == "0")


def _segments(key: str, depth: int, *, strict: bool) -> list[str]:
    """Part ``a[b][c]`` into ``a``, ``[b]``, ``[c]``; what lies deeper stays one literal segment."""
    if depth <= 0:
        return [key]
    opening = key.find("[")
    if opening < 0:
        return [key]
    segments = [key[:opening]] if opening else []
    for _ in range(depth):
        closing = _closing(key, opening)
        if closing < 0:  # never closed: the rest is text
            return [*segments, f"[{key[opening:]}]"]
        segments.append(key[opening : closing + 1])
        opening = key.find("[", closing)
        if opening < 0:
            return segments
    if strict:
        msg = "The input exceeded the depth"
        raise ValueError(msg)
    return [*segments, f"[{key[opening:]}]"]


def _closing(key: str, opening: int) -> int:
    """Return where the bracket that opens here closes, ``-1`` if it does not."""
    level = 0
    for bracket in _BRACKET.finditer(key, opening):
        level += 1 if bracket[0] == "[" else -1
        if not level:
            return bracket.start()
    return -1
