"""Preconditions and ranges of one file: which status, and which bytes (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from asgi_express._freshness import is_fresh, parse_http_date
from asgi_express._ranges import UNSATISFIABLE, ByteRange, parse_range

__all__ = ["Conditions", "Decision", "decide"]

_BYTES = re.compile(r" *bytes=")


class Conditions(NamedTuple):
    """What a request asks, headers as they came; ``None`` where absent."""

    if_match: str | None
    if_none_match: str | None
    if_modified_since: str | None
    if_unmodified_since: str | None
    if_range: str | None
    range: str | None
    cache_control: str | None

    @classmethod
    def read(cls, get: Callable[[str], str | None]) -> Conditions:
        """Read them from a request, by its ``get``."""
        return cls(*[get(name.replace("_", "-")) for name in cls._fields])


class Decision(NamedTuple):
    """What is to be answered.

    Attributes:
        status: 200 for "as it was", 206, 304, 412 or 416.
        ranges: the bytes to send, relative to the resource, in order; several only if that was allowed.
    """

    status: int
    ranges: tuple[ByteRange, ...] = ()


def decide(
    asked: Conditions,
    *,
    etag: str | None,
    last_modified: str | None,
    size: int,
    cacheable: bool,
    accept_ranges: bool,
    multipart: bool,
) -> Decision:
    """Decide, in the order of RFC 9110 section 13.2.2.

    Args:
        asked: the conditions of the request.
        etag: the header of the response, as is the next.
        last_modified: an HTTP date.
        size: of the resource, in bytes.
        cacheable: whether the status so far is 2xx or 304: only such an answer can be "not modified".
        accept_ranges: whether ranges are served.
        multipart: whether several ranges are served; Express answers them with the whole file.
    """
    if _precondition_failed(asked, etag, last_modified):
        return Decision(412)
    if cacheable and is_fresh(
        if_none_match=asked.if_none_match,
        if_modified_since=asked.if_modified_since,
        cache_control=asked.cache_control,
        etag=etag,
        last_modified=last_modified,
    ):
        return Decision(304)
    if accept_ranges and asked.range and _BYTES.match(asked.range) and _range_is_fresh(asked, etag, last_modified):
        ranges = parse_range(size, asked.range, combine=True)
        if ranges == UNSATISFIABLE:
            return Decision(416)
        if not isinstance(ranges, int) and (multipart or len(ranges) == 1):
            return Decision(206, tuple(ranges))
    return Decision(200, (ByteRange(0, size - 1),))


def _precondition_failed(asked: Conditions, etag: str | None, last_modified: str | None) -> bool:
    match = asked.if_match
    if match:
        # As in Express, weak and strong tags compare as equal: the tags of files are all weak.
        return not etag or (match != "*" and _opaque(etag) not in map(_opaque, match.split(",")))
    since = parse_http_date(asked.if_unmodified_since)
    if since is None:
        return False
    changed = parse_http_date(last_modified)
    return changed is None or changed > since


def _opaque(tag: str) -> str:
    return tag.strip(" ").removeprefix("W/")


def _range_is_fresh(asked: Conditions, etag: str | None, last_modified: str | None) -> bool:
    condition = asked.if_range
    if not condition:
        return True
    if '"' in condition:
        return bool(etag and etag in condition)
    changed, since = parse_http_date(last_modified), parse_http_date(condition)
    return changed is not None and since is not None and changed <= since
