"""The charset of a request body, and text out of bytes.

Not every codec that Python knows is for bodies: ``punycode`` takes quadratic time (40 ms for 40 kB),
``undefined`` and a name with a NUL raise what no reader expects, ``unicode_escape`` and ``utf-7`` are
no character sets. Those of the WHATWG Encoding Standard are, and UTF-32.
"""

from __future__ import annotations

import codecs

from asgi_express.errors import BodyError

__all__ = ["charset_of", "check_charset", "decode"]

# By Python's own names.
_CHARSETS = frozenset(
    {
        *("ascii", "utf-8", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be", "utf-32-le"),
        *(f"iso8859-{part}" for part in range(1, 17) if part != 12),
        *(f"cp{page}" for page in (866, 874, *range(1250, 1259))),
        *("koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"),
        *("gbk", "gb2312", "gb18030", "big5", "big5hkscs", "euc_jp", "iso2022_jp", "shift_jis", "euc_kr"),
    }
)


def charset_of(content_type: str) -> str:
    """Return the ``charset`` that a ``Content-Type`` names, in lower case; ``utf-8`` where it names none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower() or "utf-8"
    return "utf-8"


def check_charset(charset: str, *, unicode_only: bool = False) -> str:
    """Return Python's name of a charset.

    Args:
        charset: the name that the client gave.
        unicode_only: whether it has to be one of the UTFs, as for JSON.

    Raises:
        BodyError: 415 ``charset.unsupported``.
    """
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        name = ""
    if name not in _CHARSETS or (unicode_only and not name.startswith("utf-")):
        message = f'unsupported charset "{charset.upper()}"'
        raise BodyError(415, message, type="charset.unsupported", charset=charset)
    return name


def decode(body: bytes, charset: str) -> str:
    """Decode a body by a charset that was checked, and drop its byte order mark.

    Raises:
        BodyError: 400 ``entity.parse.failed``, it is not in that charset.
    """
    try:
        return body.decode(charset).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        message = f"the body is not {charset}: {error.reason} at byte {error.start}"
        raise BodyError(400, message, type="entity.parse.failed", body=body) from None
