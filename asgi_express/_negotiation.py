"""What a client likes best of what is offered, and what it sent: RFC 9110 section 12 and 8.3.

``negotiator`` 1.1, ``accepts`` 2.0 and ``type-is`` 2.1.

Each offer takes the most specific item of the header that fits it; offers are ordered by quality,
then by specificity, then by their place in the header, then by their place among the offers. So
between equals it is the client's order that decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from asgi_express._mime import lookup

__all__ = [
    "MAX_ITEMS",
    "accepts",
    "accepts_charsets",
    "accepts_encodings",
    "accepts_languages",
    "charsets",
    "encodings",
    "languages",
    "media_types",
    "normalize_type",
    "type_is",
]

MAX_ITEMS = 100
"""How many items of a header, and parameters of an item, count; the rest is ignored. Browsers send fewer than ten."""

# Headers up to this length are kept parsed: clients repeat theirs, word by word, on every request.
_MAX_KEPT = 256

_SPACE = " \t"

# content-type 2: a value, then parameters, of which only values know quotes.
_VALUE = re.compile(r"[ \t]*([^;,]*)")
_NAME = re.compile(r";[ \t]*([^;,=]*)")
_PLAIN = re.compile(r'=[ \t]*+(?!")([^;,]*)')
_QUOTED = re.compile(r'=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"[^;,]*', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

# What parseFloat reads at the beginning of a text; more digits change nothing that counts.
_FLOAT = re.compile(r"\s*([+-]?(?:[0-9]{1,32}\.?[0-9]{0,32}|\.[0-9]{1,32})(?:e[+-]?[0-9]{1,4})?)", re.I)
# RFC 6838 section 4.2, as media-typer tests it.
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\Z")

_SHORT_NAMES = {"urlencoded": "application/x-www-form-urlencoded", "multipart": "multipart/*"}

_INFINITE = re.compile(r"\s*([+-]?)Infinity")


class _Item(NamedTuple):
    """One item of a header: ``name;key=value;q=0.5``."""

    name: str
    params: dict[str, str]
    q: float
    place: int


_Match: TypeAlias = tuple[int, float, int]
"""How well an item fits an offer: specificity, quality, place in the header."""

_Fit: TypeAlias = Callable[[str, _Item], int | None]
"""Return how specifically an item fits an offer, ``None`` if it does not."""


def _parse(header: str) -> list[_Item]:
    """Part a header into its items, as negotiator does with content-type 2."""
    if '"' in header:
        return _parse_quoted(header)
    return [
        _item(part.split(";", MAX_ITEMS + 1)[: MAX_ITEMS + 1], place)
        for place, part in enumerate(header.split(",", MAX_ITEMS)[:MAX_ITEMS])
    ]


def _item(parts: list[str], place: int) -> _Item:
    params: dict[str, str] = {}
    for part in parts[1:]:
        key, equals, value = part.partition("=")
        if equals:
            params.setdefault(key.strip(_SPACE).lower(), value.strip(_SPACE))
    return _Item(parts[0].strip(_SPACE), params, _quality(params), place)


def _parse_quoted(header: str) -> list[_Item]:
    items: list[_Item] = []
    at = 0
    while at < len(header) and len(items) < MAX_ITEMS:
        match = _VALUE.match(header, at)
        name, at = (match[1], match.end()) if match else ("", at)
        params, at = _params(header, at)
        items.append(_Item(name.strip(_SPACE), params, _quality(params), len(items)))
        at += 1  # the comma
    return items


def _params(header: str, at: int) -> tuple[dict[str, str], int]:
    params: dict[str, str] = {}
    for _ in range(MAX_ITEMS):
        name = _NAME.match(header, at)
        if not name:
            return params, at
        at = name.end()
        if not header.startswith("=", at):
            continue
        value = _PLAIN.match(header, at)
        if value:
            text = value[1].strip(_SPACE)
        else:
            value = _QUOTED.match(header, at)
            if not value:  # the quote never ends: the rest of the header is lost in it
                return params, len(header)
            text = _ESCAPED.sub(r"\1", value[1])
        params.setdefault(name[1].strip(_SPACE).lower(), text)
        at = value.end()
    return params, len(header)


def _quality(params: dict[str, str]) -> float:
    """Take the quality out of the parameters: 1 if there is none, not-a-number if it is none."""
    text = params.pop("q", "")
    if not text:
        return 1.0
    number = _FLOAT.match(text)
    if number:
        return float(number[1])
    infinite = _INFINITE.match(text)
    return float(f"{infinite[1]}inf") if infinite else math.nan


_kept = lru_cache(maxsize=256)(_parse)


def _items(header: str) -> list[_Item]:
    return _kept(header) if len(header) <= _MAX_KEPT else _parse(header)


def _is_better(match: _Match, best: _Match) -> bool:
    """Compare like ``a - b || ...`` of JavaScript, where a difference that is not a number is none."""
    if match[0] != best[0]:
        return match[0] > best[0]
    if match[1] != best[1] and not math.isnan(match[1] - best[1]):
        return match[1] > best[1]
    return match[2] > best[2]


def _best(offer: str, items: Iterable[_Item], fit: _Fit) -> _Match:
    best: _Match = (0, 0.0, -1)
    for item in items:
        specificity = fit(offer, item)
        if specificity is not None:
            match = (specificity, item.q, item.place)
            if _is_better(match, best):
                best = match
    return best


def _order(
    items: Sequence[_Item],
    offered: Sequence[str] | None,
    fit: _Fit,
    preferred: Sequence[str] = (),
) -> list[str]:
    """Return the offers that are accepted, or what the header names, best first."""
    if offered is None:
        found = [((0, item.q, item.place), item.name) for item in items]
    else:
        found = [(_best(offer, items, fit), offer) for offer in offered]
    # Sorting is stable, so that between equals the order of the offers stands.
    found = [pair for pair in found if pair[0][1] > 0]
    ranks = {name: rank for rank, name in reversed(list(enumerate(preferred)))}

    def key(pair: tuple[_Match, str]) -> tuple[float, ...]:
        (specificity, q, place), name = pair
        rank = ranks.get(name)
        return (-q, rank) if rank is not None else (-q, len(ranks), -specificity, place)

    return [name for _, name in sorted(found, key=key)]


def _fit_name(offer: str, item: _Item) -> int | None:
    if item.name.lower() == offer.lower():
        return 1
    return 0 if item.name == "*" else None


@lru_cache(maxsize=512)
def _offered_type(media_type: str) -> tuple[str, str, dict[str, str]] | None:
    """Part an offered type into type, subtype and parameters; ``None`` if it has no slash."""
    name, _, rest = media_type.partition(";")
    top, slash, subtype = name.strip(_SPACE).lower().partition("/")
    params = _parse_quoted(f";{rest}")[0].params if rest else {}
    return (top, subtype, params) if slash else None


def _fit_type(offer: str, item: _Item) -> int | None:
    parsed = _offered_type(offer)
    if parsed is None:
        return None
    specificity = 0
    for weight, wanted, got in zip((4, 2), item.name.split("/", 1), parsed[:2], strict=True):
        if wanted.lower() == got:
            specificity += weight
        elif wanted != "*":
            return None
    params = parsed[2]
    for key, value in item.params.items():
        if value != "*" and value.lower() != params.get(key, "").lower():
            return None
    return specificity + bool(item.params)


def _fit_language(offer: str, item: _Item) -> int | None:
    language = offer.partition(";")[0].strip(_SPACE).lower()
    wanted = item.name.lower()
    if not language:
        return None
    if wanted == language:
        return 4
    if wanted.partition("-")[0] == language:
        return 2
    if wanted == language.partition("-")[0]:
        return 1
    return 0 if wanted == "*" else None


def media_types(header: str | None, offered: Sequence[str] | None = None) -> list[str]:
    """Return the media types that are accepted, best first.

    Args:
        header: ``Accept``; ``None`` accepts everything.
        offered: full types, such as ``"text/html"``; ``None`` to list what the header names.
    """
    if offered is not None and (header is None or header == "*/*") and not any("*" in offer for offer in offered):
        return [offer for offer in offered if _offered_type(offer)]  # what most clients but browsers send
    items = [item for item in _items("*/*" if header is None else header) if "/" in item.name]
    return _order(items, offered, _fit_type)


def charsets(header: str | None, offered: Sequence[str] | None = None) -> list[str]:
    """Return the charsets that are accepted, best first.

    Args:
        header: ``Accept-Charset``; ``None`` accepts everything.
        offered: names; ``None`` to list what the header names.
    """
    return _order(_named(header), offered, _fit_name)


def languages(header: str | None, offered: Sequence[str] | None = None) -> list[str]:
    """Return the languages that are accepted, best first.

    Args:
        header: ``Accept-Language``; ``None`` accepts everything.
        offered: tags, such as ``"en-GB"``; ``None`` to list what the header names.
    """
    return _order(_named(header), offered, _fit_language)


def _named(header: str | None) -> list[_Item]:
    return [item for item in _items("*" if header is None else header) if item.name]


def encodings(header: str | None, offered: Sequence[str] | None = None, *, preferred: Sequence[str] = ()) -> list[str]:
    """Return the content codings that are accepted, best first.

    ``identity`` is accepted, as the last, unless ``identity;q=0`` or ``*;q=0`` refuses it.

    Args:
        header: ``Accept-Encoding``; ``None`` accepts only ``identity``.
        offered: names; ``None`` to list what the header names.
        preferred: names that go first, in this order, among those of equal quality.
    """
    items = _named(header or "")
    if not any(_fit_name("identity", item) is not None for item in items):
        # Infinite and not-a-number qualities weigh as in Math.min(q || 1).
        lowest = min([1.0, *(item.q for item in items if item.q and not math.isnan(item.q))])
        items.append(_Item("identity", {}, lowest, MAX_ITEMS))
    return _order(items, offered, _fit_name, preferred)


def accepts(header: str | None, offered: Sequence[str]) -> str | None:
    """Return the best of the types offered, spelled as it was offered; ``None`` if none is accepted.

    Args:
        header: ``Accept``; without it (or empty) the first offer is the best.
        offered: types or extensions (``"json"``); an unknown extension is never accepted.
    """
    if not offered:
        return None
    if not header:
        return offered[0]
    return (_kept_best_type if len(header) <= _MAX_KEPT else _best_type)(header, tuple(offered))


def _best_type(header: str, offered: tuple[str, ...]) -> str | None:
    types = [offer if "/" in offer else lookup(offer) for offer in offered]
    best = media_types(header, [media_type for media_type in types if media_type])
    return offered[types.index(best[0])] if best else None


_kept_best_type = lru_cache(maxsize=512)(_best_type)


def accepts_charsets(header: str | None, offered: Sequence[str]) -> str | None:
    """Return the best of the charsets offered, ``None`` if none is accepted."""
    return next(iter(charsets(header, offered)), None)


def accepts_encodings(header: str | None, offered: Sequence[str]) -> str | None:
    """Return the best of the content codings offered, ``None`` if none is accepted."""
    return next(iter(encodings(header, offered)), None)


def accepts_languages(header: str | None, offered: Sequence[str]) -> str | None:
    """Return the best of the languages offered, ``None`` if none is accepted."""
    return next(iter(languages(header, offered)), None)


def normalize_type(pattern: str) -> str | None:
    """Return the full pattern that a short one stands for; ``None`` for an unknown extension.

    ``"json"`` is ``"application/json"``, ``"urlencoded"`` and ``"multipart"`` are what they say,
    ``"+json"`` is ``"*/*+json"``. Anything with a slash is as it was.
    """
    if pattern in _SHORT_NAMES:
        return _SHORT_NAMES[pattern]
    if pattern.startswith("+"):
        return f"*/*{pattern}"
    return pattern if "/" in pattern else lookup(pattern)


def type_is(content_type: str | None, patterns: Sequence[str] = ()) -> str | None:
    """Return what a content type is of some patterns (``req.is_``).

    Args:
        content_type: the header; its parameters and letter case are ignored.
        patterns: extensions, types, ``*/*``, ``type/*``, ``*/subtype``, ``+suffix``,
            ``type/*+suffix``, ``"urlencoded"``, ``"multipart"``; their letter case counts.

    Returns:
        The first pattern that fits, as it was given; the type itself where that pattern has a
        wildcard or a suffix, or where there are no patterns; ``None`` if none fits, or the header
        is missing or no media type.
    """
    actual = (content_type or "").partition(";")[0].strip(_SPACE).lower()
    if not _MEDIA_TYPE.match(actual):
        return None
    if not patterns:
        return actual
    for pattern in patterns:
        expected = normalize_type(pattern)
        if expected and _fits(expected, actual):
            return actual if pattern.startswith("+") or "*" in pattern else pattern
    return None


def _fits(expected: str, actual: str) -> bool:
    if expected.count("/") != 1:
        return False
    top, _, subtype = expected.partition("/")
    actual_top, _, actual_subtype = actual.partition("/")
    if top not in ("*", actual_top):
        return False
    if subtype.startswith("*+"):
        return actual_subtype.endswith(subtype[1:])
    return subtype in ("*", actual_subtype)
