"""Read a form: URL-encoded, or multipart over python-multipart as Starlette drives it.

Starlette takes a multipart body that ends before its last boundary for a form without the fields
that were lost (measured with 1.10.0); here that is a 400.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from asgi_express import _query
from asgi_express._aside import parse_aside
from asgi_express._charset import check_charset
from asgi_express._inbox import too_large
from asgi_express.errors import BodyError
from asgi_express.types import Size

__all__ = ["read_form"]

_MAX_FIELDS = 1000

# The reader of header parameters takes 2 ms for each 1000 semicolons: for headers without a limit, and parts with
# many, that is half a second for a megabyte. A boundary has 70 characters at most.
_MAX_CONTENT_TYPE = 1024
_MAX_PARAMETERS = 20


class _Readable(Protocol):
    """What of a request a form is read from."""

    @property
    def headers(self) -> Headers: ...
    async def text(self, *, limit: Size | None = ...) -> str: ...
    def stream(self) -> AsyncIterator[bytes]: ...


async def read_form(req: _Readable, limit: int | None) -> FormData:
    """Read the form of a request.

    Raises:
        BodyError: 413; 415, it is not a form, or in no known charset; 400, it is broken or cut off.
    """
    content_type = req.headers.get("content-type", "")
    if len(content_type) > _MAX_CONTENT_TYPE:
        raise BodyError(415, "the content type is too long", type="content-type.unsupported")
    kind, parameters = parse_options_header(content_type)
    if kind == b"application/x-www-form-urlencoded":
        text = await req.text(limit=limit)
        if text.count("&") >= _MAX_FIELDS:
            raise BodyError(413, "too many parameters", type="parameters.too.many")
        return FormData(await parse_aside(_pairs, text))
    if kind != b"multipart/form-data":
        raise BodyError(415, f"the body is not a form: {kind.decode('latin-1')!r}", type="content-type.unsupported")
    if not parameters.get(b"boundary"):
        raise BodyError(400, "Multipart: Boundary not found", type="multipart.boundary.missing")
    check_charset(parameters.get(b"charset", b"utf-8").decode("latin-1"))
    try:
        return await _Parser(req.headers, req.stream(), limit).parse()
    except MultiPartException as error:
        raise BodyError(400, error.message, type="multipart.parse.failed") from None


def _pairs(form: str) -> list[tuple[str, str | UploadFile]]:
    return list(_query.pairs(form))


class _Parser(MultiPartParser):
    """Starlette's parser of a body that is counted, and that has to come to its end."""

    def __init__(self, headers: Headers, source: AsyncIterator[bytes], limit: int | None) -> None:
        super().__init__(headers, self._counted(source, limit))
        self._ended = False
        self._parameters = 0

    def on_part_begin(self) -> None:
        """Begin to count the parameters of the part's headers."""
        super().on_part_begin()
        self._parameters = 0

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """Count before they are read."""
        self._parameters += data.count(b";", start, end)
        if self._parameters > _MAX_PARAMETERS:
            msg = "Too many parameters in the headers of a part."
            raise MultiPartException(msg)
        super().on_header_value(data, start, end)

    def on_end(self) -> None:
        """Note that the closing boundary was read."""
        self._ended = True

    async def _counted(self, source: AsyncIterator[bytes], limit: int | None) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in source:
            size += len(chunk)
            if limit is not None and size > limit:
                raise too_large(limit, size)
            yield chunk
        if not self._ended:
            # Raised here, inside the parser, which then closes all files, the unfinished one too.
            raise BodyError(400, "Unexpected end of form", type="multipart.unexpected.end")
