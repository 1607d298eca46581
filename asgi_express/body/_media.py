"""The parameters of a header value such as ``text/plain; charset=utf-8``.

One reader for ``Content-Type`` and for the headers of a part, so that no two of them see two things. As npm's
``content-type`` 2.1: the first of two equal names counts, what is malformed is passed over. In linear time.
"""

from __future__ import annotations

import re

__all__ = ["parameters"]

_SPACE = " \t"

# No header has more parameters than these; one of 64 kB of ";" would cost 50 ms.
_MOST = 100
_NAME = re.compile(r"[^;=]*")
_QUOTED = re.compile(r'[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_OPENING = re.compile(r'[ \t]*"')
_PLAIN = re.compile(r"[^;]*")
# As busboy: a backslash quotes only these two, for browsers wrote filename="C:\path\name".
_ESCAPE = re.compile(r'\\(["\\])')


def parameters(header: str) -> dict[str, str]:
    """Return the parameters, names in lower case; a quotation that does not end gives none."""
    found: dict[str, str] = {}
    at = header.find(";")
    for _ in range(_MOST):
        if at < 0:
            break
        name = _NAME.match(header, at + 1)
        assert name is not None  # noqa: S101 - it matches the empty text
        at = name.end()
        if header[at : at + 1] == "=":
            quoted = _QUOTED.match(header, at + 1)
            if quoted:
                at = quoted.end()
                value = _ESCAPE.sub(r"\1", quoted[1])
            elif _OPENING.match(header, at + 1):
                break
            else:
                plain = _PLAIN.match(header, at + 1)
                assert plain is not None  # noqa: S101 - it matches the empty text
                at = plain.end()
                value = plain[0].strip(_SPACE)
            found.setdefault(name[0].strip(_SPACE).lower(), value)
        at = header.find(";", at)
    return found
