"""Charsets by the names that ``iconv-lite`` gives them, and decoding that refuses what is broken.

The names are a closed table. ``codecs.lookup`` would take ``idna`` or ``unicode_escape`` from a client, and
``encodings`` keeps every name that it did not find, for ever.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases
from functools import cache

from asgi_express.errors import BodyError

__all__ = ["charset_of", "check_charset", "codec", "decode", "unsupported"]

_YEAR_OR_MARK = re.compile(r":\d{4}$|[^0-9a-z]")
_LONGEST = 40

# Python's codecs that read text as iconv-lite does. The stateful ones (ISO-2022, HZ, UTF-7) hide text from filters.
_PLAIN = re.compile(
    r"ascii|latin_1|iso8859_\d+|cp\d+|koi8_[rut]|mac_(?:cyrillic|greek|iceland|roman|turkish)|shift_jis|euc_jp|euc_kr|gbk"
    r"|gb2312|gb18030|big5|big5hkscs|tis_620|ptcp154|kz1048|hp_roman8"
)
_MORE = {
    "utf-8": "utf8 unicode11utf8 u8",
    "utf-16": "utf16 u16",
    "utf-16-le": "utf16le ucs2",
    "utf-16-be": "utf16be",
    "utf-32": "utf32 ucs4 u32",
    "utf-32-le": "utf32le ucs4le",
    "utf-32-be": "utf32be ucs4be",
    "latin-1": "binary latin1 iso88591",
    "cp932": "windows31j windows932 xsjis",
    **{f"cp125{digit}": f"win125{digit}" for digit in range(9)},
    # These have no alias in Python.
    "koi8_u": "koi8u",
    "koi8_t": "koi8t",
    **{f"cp{page}": f"cp{page} ibm{page}" for page in (720, 737, 856, 874)},
}

# How much is looked at to tell the byte order of UTF-16 and UTF-32 without a mark.
_SAMPLE = 200


@cache
def _names() -> dict[str, str]:
    names = {_canonical(alias): target for alias, target in aliases.items() if _PLAIN.fullmatch(target)}
    names |= {_canonical(target): target for target in names.values()}
    names |= {word: target for target, words in _MORE.items() for word in words.split()}
    return names


def _canonical(name: str) -> str:
    return _YEAR_OR_MARK.sub("", name.lower())


def charset_of(content_type: str) -> str:
    """Return the ``charset`` that a ``Content-Type`` names, in lower case; ``utf-8`` where it names none."""
    if ";" not in content_type:
        return "utf-8"
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower() or "utf-8"
    return "utf-8"


def codec(charset: str) -> str | None:
    """Return Python's name for a charset, in any spelling that ``iconv-lite`` takes; ``None`` if there is none."""
    if charset == "utf-8":
        return charset  # nearly always
    return _names().get(_canonical(charset)) if len(charset) <= _LONGEST else None


def unsupported(charset: str) -> BodyError:
    """Return the error for a charset that is not known, in body-parser's words."""
    shown = charset[:_LONGEST]
    message = f'unsupported charset "{shown.upper()}"'
    return BodyError(415, message, type="charset.unsupported", charset=shown.lower())


def check_charset(charset: str, *, unicode_only: bool = False) -> str:
    """Return a charset that a body may be read in.

    Args:
        charset: the name that the client gave.
        unicode_only: whether it has to be one of the UTFs, as for JSON.

    Raises:
        BodyError: 415 ``charset.unsupported``.
    """
    name = codec(charset)
    if name is None or (unicode_only and not name.startswith("utf-")):
        raise unsupported(charset)
    return charset


def decode(body: bytes, charset: str) -> str:
    """Return a body as text, without its byte order mark.

    Args:
        body: the bytes.
        charset: a charset that ``codec`` knows.

    Raises:
        BodyError: 415 ``charset.unsupported``; 400 ``entity.parse.failed``, the body is not in that charset.
    """
    name = codec(charset)
    if name is None:
        raise unsupported(charset)
    if name in ("utf-16", "utf-32"):
        name = _byte_order(body, name)
    try:
        text = body.decode(name)
    except UnicodeDecodeError as error:
        message = f"the body is not {charset}: {error.reason} at byte {error.start}"
        raise BodyError(400, message, type="entity.parse.failed", body=body) from None
    return text.removeprefix("\ufeff")


def _byte_order(body: bytes, name: str) -> str:
    """Tell the byte order: by the mark, else by where the zeros of ASCII text are, else the small end first."""
    if name == "utf-16":
        if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
            big = body[:1] == b"\xfe"
        else:
            big = body[0:_SAMPLE:2].count(0) > body[1:_SAMPLE:2].count(0)
    elif body[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        big = body[:1] == b"\0"
    else:
        big = body[0:_SAMPLE:4].count(0) > body[3:_SAMPLE:4].count(0)
    return name + ("-be" if big else "-le")
