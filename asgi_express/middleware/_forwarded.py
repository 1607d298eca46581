"""The header ``Forwarded`` (RFC 7239), and the addresses in it and in ``X-Forwarded-For``.

Nothing is guessed: a header that breaks the grammar anywhere has no elements at all, as two readers
of a broken header seldom agree. Each character is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from asgi_express._addresses import parse_address

__all__ = ["MAX_ELEMENTS", "Node", "parse_forwarded", "parse_node"]

MAX_ELEMENTS = 100
"""More elements than this are no list of proxies."""

_MAX_NODE = 128

# RFC 7239 section 4: a pair is a token, "=", and a token or a quoted string; there is no space around "=".
_PAIR = re.compile(r'([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)|"((?:[^"\\]|\\.)*+)")')
_QUOTED_TEXT = re.compile(r"[\t \x21-\x7e\x80-\xff]*\Z")
_ESCAPED = re.compile(r"\\(.)")
_SPACE = re.compile(r"[ \t]*")

_IN_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]+)(?:%[0-9A-Za-z._~-]+)?\](?::([0-9]{1,5}))?\Z")
_IPV4 = re.compile(r"([0-9.]+)(?::([0-9]{1,5}))?\Z")
_IPV6 = re.compile(r"([0-9A-Fa-f:.]+)(?:%[0-9A-Za-z._~-]+)?\Z")


class Node(NamedTuple):
    """An address as ``ipaddress`` writes it, and the port beside it, 0 for none."""

    address: str
    port: int


def parse_forwarded(header: str) -> list[dict[str, str]] | None:
    """Return the elements of ``Forwarded``, the farthest proxy's first; ``None`` for what breaks the grammar.

    Args:
        header: the value, lines joined with commas.

    Returns:
        Parameters by name in lower case, values without their quotes. Empty list elements are left
        out (RFC 9110 section 5.6.1); a parameter that stands twice in one element breaks the grammar.
    """
    elements: list[dict[str, str]] = []
    element: dict[str, str] = {}
    at = 0
    while True:
        at = _skip(header, at)
        pair = _PAIR.match(header, at)
        if pair:
            name, value = pair[1].lower(), _value(pair)
            if value is None or name in element:
                return None
            element[name] = value
            at = _skip(header, pair.end())
        separator = header[at : at + 1]
        if separator not in ("", ",", ";") or (separator == ";" and not pair):
            return None
        if separator != ";":
            if element:
                elements.append(element)
                element = {}
            if not separator:
                return elements
            if len(elements) >= MAX_ELEMENTS:
                return None
        at += 1


def _skip(header: str, at: int) -> int:
    space = _SPACE.match(header, at)
    return space.end() if space else at


def _value(pair: re.Match[str]) -> str | None:
    if pair[2] is not None:
        return pair[2]
    return _ESCAPED.sub(r"\1", pair[3]) if _QUOTED_TEXT.match(pair[3]) else None


def parse_node(text: str) -> Node | None:
    """Read an address with or without brackets, zone and port; ``None`` for what is none, ``unknown`` say.

    An IPv4-mapped address is the IPv4 address. The zone is dropped: it means something only to the
    machine that wrote it. Octal, hexadecimal and short forms are no addresses.
    """
    if len(text) > _MAX_NODE:
        return None
    found = _IN_BRACKETS.match(text) or _IPV4.match(text) or _IPV6.match(text)
    if not found:
        return None
    port = int(found[2] or 0) if found.re is not _IPV6 else 0
    address = parse_address(found[1])
    # An IPv4 address in brackets is none; one that is mapped has colons.
    if address is None or port > 65535 or (found.re is _IN_BRACKETS and ":" not in found[1]):
        return None
    return Node(address.text, port)
