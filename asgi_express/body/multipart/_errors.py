"""What can be wrong with an upload: multer's codes and words, with a status."""

from __future__ import annotations

from asgi_express.errors import BodyError

__all__ = ["broken", "limit_error", "unexpected_end"]

_WORDS = {
    "LIMIT_PART_COUNT": (413, "Too many parts"),
    "LIMIT_FILE_SIZE": (413, "File too large"),
    "LIMIT_FILE_COUNT": (413, "Too many files"),
    "LIMIT_FIELD_KEY": (400, "Field name too long"),
    "LIMIT_FIELD_VALUE": (413, "Field value too long"),
    "LIMIT_FIELD_COUNT": (413, "Too many fields"),
    "LIMIT_UNEXPECTED_FILE": (400, "Unexpected file field"),
    "MISSING_FIELD_NAME": (400, "Field name missing"),
    "LIMIT_FIELD_NESTING": (400, "Field name nesting too deep"),
    "LIMIT_FIELD_ARRAY_INDEX": (400, "Field name array index too large"),
}


def limit_error(code: str, field: str | None = None, filename: str | None = None) -> BodyError:
    """Return the error for one of multer's codes; the code is its ``type`` and its ``code``."""
    status, words = _WORDS[code]
    facts = {"field": field, "filename": filename}
    return BodyError(status, words, type=code, code=code, **{key: fact for key, fact in facts.items() if fact})


def broken(message: str) -> BodyError:
    """Return the error for a body that is no multipart body."""
    return BodyError(400, message, type="multipart.parse.failed")


def unexpected_end() -> BodyError:
    """Return the error for a body that ends before its last boundary, in busboy's words."""
    return BodyError(400, "Unexpected end of form", type="multipart.unexpected.end")
