"""Entity tags, HTTP dates, and whether what the client has is still fresh.

``etag`` 1.8, ``fresh`` 2.0 and RFC 9110 sections 5.6.7 (dates), 8.8 (validators), 13.1 (conditions).
"""

from __future__ import annotations

import re
import time
from binascii import b2a_base64
from calendar import timegm
from functools import lru_cache
from hashlib import sha1

__all__ = ["format_http_date", "is_fresh", "parse_http_date", "stat_etag", "strong_etag", "weak_etag"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DATES = (
    # IMF-fixdate, the only one that may be sent: Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT\Z"),
    # RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(
        r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, "
        rf"(?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT\Z"
    ),
    # asctime: Sun Nov  6 08:49:37 1994
    re.compile(rf"{_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_CLOCK} (?P<year>[0-9]{{4}})\Z"),
)

# What JavaScript's \s takes in, of the characters that a header can hold.
_SPACE = " \t\n\v\f\r\xa0"

_LAST_SECOND = 253402300799  # 9999-12-31 23:59:59, the last that four digits of a year can name
_FIRST_SECOND = -62135596800  # 0001-01-01 00:00:00


def strong_etag(body: bytes) -> bytes:
    """Return the entity tag of a whole body: its length in hex and 27 characters of its SHA-1 in Base64."""
    return b'"%x-%b"' % (len(body), b2a_base64(sha1(body, usedforsecurity=False).digest())[:27])


def weak_etag(body: bytes) -> bytes:
    """Return the entity tag of a whole body, marked as weak (RFC 9110 section 8.8.1)."""
    return b'W/"%x-%b"' % (len(body), b2a_base64(sha1(body, usedforsecurity=False).digest())[:27])


def stat_etag(size: int, mtime_ns: int) -> str:
    """Return the weak entity tag of a file: its size and the millisecond of its last change, in hex.

    Args:
        size: bytes.
        mtime_ns: nanoseconds since the epoch, ``os.stat_result.st_mtime_ns``. Rounded, as Node does.
    """
    return f'W/"{size:x}-{(mtime_ns + 500_000) // 1_000_000:x}"'


def is_fresh(
    *,
    if_none_match: str | None,
    if_modified_since: str | None,
    cache_control: str | None,
    etag: str | None,
    last_modified: str | None,
) -> bool:
    """Return whether the client already has this representation, so that 304 will do (``fresh`` 2.0).

    Without ``If-None-Match`` and ``If-Modified-Since`` nothing is fresh, nor with ``Cache-Control:
    no-cache``. ``If-None-Match`` is compared weakly and, where it stands, alone decides.

    Args:
        if_none_match: header of the request, as are the next two; ``None`` where it is absent.
        if_modified_since: header of the request.
        cache_control: header of the request.
        etag: header of the response, as decided so far.
        last_modified: header of the response, likewise.
    """
    if not if_none_match and not if_modified_since:
        return False
    # End-to-end reload, RFC 9111 section 5.2.1.4.
    if cache_control and _has_item(cache_control, "no-cache", space=_SPACE):
        return False
    if if_none_match:
        return if_none_match == "*" or _any_match(if_none_match, etag)
    return _not_modified(last_modified, if_modified_since)


def _has_item(text: str, *items: str, space: str) -> bool:
    """Return whether a list with commas has one of the items, of which the last is a part of every other."""
    # What does not have the text at all, in whatever place, need not be taken apart.
    return items[-1] in text and any(part.strip(space) in items for part in text.split(","))


def _any_match(none_match: str, tag: str | None) -> bool:
    """Compare weakly (RFC 9110 section 8.8.3.2). A comma inside a tag splits it, as in ``fresh``."""
    if not tag:
        return False
    return _has_item(none_match, f"W/{tag}", tag, tag.removeprefix("W/"), space=" ")


def _not_modified(last_modified: str | None, modified_since: str | None) -> bool:
    changed = parse_http_date(last_modified)
    seen = parse_http_date(modified_since)
    return changed is not None and seen is not None and changed <= seen


def parse_http_date(text: str | None) -> int | None:
    """Return the seconds since the epoch that an HTTP date names, ``None`` for anything else.

    The three formats of RFC 9110 section 5.6.7, of which the year of two digits is taken to lie
    less than 50 years ahead. The name of the day is not compared with the date. Other formats that
    JavaScript's ``Date.parse`` would read are no dates here: what is not a date is not fresh.
    """
    if not text:
        return None
    for pattern in _DATES:
        match = pattern.match(text)
        if match:
            return _seconds(match)
    return None


def _seconds(match: re.Match[str]) -> int | None:
    year, day = int(match["year"]), int(match["day"])
    if len(match["year"]) == 2:
        year = _full_year(year, time.gmtime().tm_year)
    month = _MONTHS.index(match["month"]) + 1
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    # 60 is a leap second; the 31st of February is a day of March, as for Date.parse.
    if not (year and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        return None
    return timegm((year, month, day, hour, minute, second))


def _full_year(year: int, this_year: int) -> int:
    """Complete a year of two digits: more than 50 years ahead is in the past (RFC 9110 section 5.6.7)."""
    year += this_year - this_year % 100
    return year - 100 if year > this_year + 50 else year


def format_http_date(timestamp: float) -> str:
    """Return an IMF-fixdate, ``Sun, 06 Nov 1994 08:49:37 GMT``, of the second that has begun.

    Args:
        timestamp: seconds since the epoch.

    Raises:
        ValueError: the year is not one of 1 to 9999, or the number is not finite.
    """
    if not _FIRST_SECOND <= timestamp < _LAST_SECOND + 1:
        msg = f"no HTTP date can name the second {timestamp!r}"
        raise ValueError(msg)
    return _format_second(int(timestamp // 1))


# Most dates of a server are those of the running second, or of files that are asked for again.
@lru_cache(maxsize=256)
def _format_second(second: int) -> str:
    # strftime would write the names in the language of the process.
    t = time.gmtime(second)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02d} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04d} "
        f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} GMT"
    )
