"""Read a form: URL-encoded, or multipart over python-multipart as Starlette drives it.

Starlette takes a multipart body that ends before its last boundary for a form without the fields
that were lost (measured with 1.10.0); here that is a 400.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from asgi_express import _charset
from asgi_express._inbox import too_large
from asgi_express.errors import BodyError
from asgi_express.types import Size

__all__ = ["read_form"]


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
    kind, parameters = parse_options_header(req.headers.get("content-type", ""))
    if kind == b"application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(await req.text(limit=limit), keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            raise BodyError(413, "too many parameters", type="parameters.too.many") from None
        return FormData(list[tuple[str, str | UploadFile]](pairs))
    if kind != b"multipart/form-data":
        raise BodyError(415, f"the body is not a form: {kind.decode('latin-1')!r}", type="content-type.unsupported")
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        raise BodyError(400, "Multipart: Boundary not found", type="multipart.boundary.missing")
    _charset.check(parameters.get(b"charset", b"utf-8").decode("latin-1"))
    body = _Counted(req.stream(), limit, b"\r\n--" + boundary + b"--")
    try:
        form = await MultiPartParser(req.headers, body.chunks()).parse()
    except MultiPartException as error:
        raise BodyError(400, error.message, type="multipart.parse.failed") from None
    if not body.closed:
        await form.close()
        raise BodyError(400, "Unexpected end of form", type="multipart.unexpected.end")
    return form


class _Counted:
    """A body that is counted, and watched for its closing boundary, while it passes."""

    def __init__(self, source: AsyncIterator[bytes], limit: int | None, closing: bytes) -> None:
        self._source = source
        self._limit = limit
        self._closing = closing
        self.closed = False

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        size = 0
        tail = b"\r\n"  # a form without fields begins with its end
        async for chunk in self._source:
            size += len(chunk)
            if self._limit is not None and size > self._limit:
                raise too_large(self._limit, size)
            tail += chunk
            self.closed = self.closed or self._closing in tail
            tail = tail[-len(self._closing) :]
            yield chunk
