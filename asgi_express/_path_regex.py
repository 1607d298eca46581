"""Write one sequence of tokens as a regular expression whose time is linear in the path.

Theory of operation
-------------------

The answers are path-to-regexp's, and so is the idea: a capture that follows another one in its
segment cannot contain the text between the two, and a wildcard that follows another wildcard cannot
contain the text after that one. So where a capture starts follows from where it ends, every end of
every capture is tried once at most, and no path takes more than linear time. Three things
are written differently here, with the same answers:

* the alternatives of one capture overlap (``[^/]+|[^/]+``, once for every wildcard after the first:
  each doubles the work). Here the second alternative gives only the ends that the first did not;
* a capture that a ``/`` or the end must follow gives nothing back: no shorter one can fit;
* typed values, which the original does not have, are never given back: ``{x:float}.{y:float}`` reads
  ``1.2.3`` as 1.2 and 3, and ``1.2`` not at all.

Linear is not yet fast: each capture that can end in several places costs up to about 1.5 ms per 64 kB
of hostile path, in each combination of optional groups. `work_of` counts them; `MAX_WORK` is the
limit that keeps 64 kB of the worst ASCII path under 50 ms.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from asgi_express._tokens import Capture, FlatToken, Param, Text, Wildcard
from asgi_express.errors import PathError

__all__ = ["MAX_WORK", "literal", "work_of", "write_regex"]

MAX_WORK: Final = 20
"""The most work that the combinations of one path may add up to."""

_TYPED: Final[dict[str, str]] = {
    "int": "[0-9]{1,18}+",
    "float": r"[0-9]{1,18}+(?:\.[0-9]{1,18}+|(?!\.[0-9]))",
    "uuid": "[0-9a-fA-F]{8}-?" + "[0-9a-fA-F]{4}-?" * 3 + "[0-9a-fA-F]{12}",
}


def write_regex(sequence: Sequence[FlatToken], path: str) -> str:
    """Write the source of a regular expression with one group for each capture, in order.

    It is made for ``re.ASCII | re.DOTALL``, with or without ``re.IGNORECASE``.

    Args:
        sequence: tokens without groups.
        path: the path as it was written, for the error.

    Raises:
        PathError: two captures have no text between them.
    """
    source: list[str] = []
    captured: Capture | None = None  # the capture before
    between = ""  # the text after it
    after_wildcard = ""  # the text that follows the last wildcard
    here: set[type[Capture]] = set()  # what was captured in this segment
    for index, token in enumerate(sequence):
        if isinstance(token, Text):
            between = token.value
            source.append(literal(between))
            if isinstance(captured, Wildcard):
                after_wildcard = between
            if "/" in between:
                here.clear()
            continue
        if captured is not None and not between:
            raise _missing_text(token, path)
        if isinstance(token, Wildcard):
            source.append(f"({_wildcard(token, between if Wildcard in here else '', after_wildcard)})")
            after_wildcard = ""
        else:
            source.append(f"({_param(token, between, sequence[index + 1 :], here)})")
        captured, between = token, ""
        here.add(type(token))
    return "".join(source)


def work_of(sequence: Sequence[FlatToken]) -> int:
    """Count the captures from the first one on whose end is not known at once.

    Args:
        sequence: tokens without groups.
    """
    for index, token in enumerate(sequence):
        following = sequence[index + 1 :]
        searching = following if isinstance(token, Wildcard) else not _segment_ends(following)
        if searching and not isinstance(token, Text) and token.kind not in _TYPED:
            return 1 + sum(not isinstance(later, Text) for later in following)
    return 0


def _segment_ends(following: Sequence[FlatToken]) -> bool:
    """Tell whether a slash or the end must come next."""
    first = following[0] if following else Text("/")
    return isinstance(first, Text) and first.value.startswith("/")


def _param(token: Param, between: str, following: Sequence[FlatToken], here: Collection[type[Capture]]) -> str:
    if token.kind != "str":
        return _TYPED[token.kind]
    if Wildcard in here:
        return _until("/", between) + "+"
    ahead = _text_to_wildcard(following)
    if ahead is not None:
        return _until("/", ahead) + "+"
    if Param in here:
        return f"{_until('/', between)}+|{literal(between)}"
    return "[^/]++" if _segment_ends(following) else "[^/]+"


def _wildcard(token: Wildcard, between: str, after_wildcard: str) -> str:
    times = "*" if token.kind == "path" else "+"
    if between:  # after another wildcard in this segment
        return _until(between) + times
    if not after_wildcard:
        return "." + times
    guarded = _until(after_wildcard) + times
    if after_wildcard.startswith("/"):
        return guarded
    # Or one whole segment, should the text begin in it: only the ends that were not tried yet.
    return f"{guarded}|{_until('/', after_wildcard)}*(?={literal(after_wildcard)})[^/]+"


def _text_to_wildcard(tokens: Sequence[FlatToken]) -> str | None:
    """Return the text that comes next if a wildcard follows in the same segment."""
    for token in tokens:
        if isinstance(token, Wildcard):
            first = tokens[0]
            return first.value if isinstance(first, Text) else ""
        if isinstance(token, Text) and "/" in token.value:
            break
    return None


def _until(*texts: str) -> str:
    """Write one character at which none of the texts begins; empty ones do not count."""
    single = "".join([re.escape(text) for text in texts if len(text) == 1 and text.isascii()])
    long = [literal(text) for text in texts if len(text) > 1 or not text.isascii()]
    char = f"[^{single}]" if single else "."
    return f"(?:(?!{'|'.join(long)}){char})" if long else char


def literal(text: str) -> str:
    """Write literal text; outside ASCII also in its percent-encoded form."""
    return "".join([re.escape(char) if char.isascii() else _encoded(char) for char in text])


def _encoded(char: str) -> str:
    escapes = "".join([f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass")])
    either_case = re.sub("[A-F]", lambda found: f"[{found[0]}{found[0].lower()}]", escapes)
    return f"(?:{char}|{either_case})"


def _missing_text(token: Capture, path: str) -> PathError:
    kind = "wildcard" if isinstance(token, Wildcard) else "param"
    msg = (
        f'Missing text before "{token.name}" {kind}: {path}; '
        'two captures need literal text between them, such as "/" or "-"'
    )
    return PathError(msg, path=path)
