"""What was asked, in the words of Wippy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.datastructures import UploadFile

from asgi_express.request import Request as ExpressRequest
from asgi_express.types import Size

__all__ = ["File", "Form", "Request"]

_CHUNK = 64 * 1024


class Request:
    """What was asked; made by :func:`request`.

    Example::

        req = http.request()
        req.param("id")  # -> "7"
    """

    __slots__ = ("_req",)

    def __init__(self, req: ExpressRequest) -> None:
        self._req = req

    def method(self) -> str:
        """Return the method.

        Example: ``req.method()`` is ``"POST"``.
        """
        return self._req.method

    def path(self) -> str:
        """Return the whole path, percent-encoded, without the query.

        Example: ``req.path()`` is ``"/api/v1/users/7"``.
        """
        return self._req.original_url.partition("?")[0]

    def query(self, name: str) -> str | None:
        """Return a parameter of the query, the first of its name; ``None`` without one.

        Example: ``req.query("page")`` is ``"2"``.
        """
        value = self._req.query.get(name)
        while isinstance(value, list):
            value = value[0] if value else None
        return None if value is None else str(value)

    def query_params(self) -> dict[str, Any]:
        """Return the query: text by name, a list where a name repeats.

        Example: ``req.query_params()`` is ``{"page": "2", "tag": ["a", "b"]}``.
        """
        return dict(self._req.query)

    def header(self, name: str) -> str | None:
        """Return a header, ``None`` without it.

        Example: ``req.header("Accept")`` is ``"application/json"``.
        """
        return self._req.get(name)

    async def body(self, *, limit: Size | None = "1mb") -> str:
        """Read the body as text.

        Raises:
            BodyError: 413; 415 or 400, it is not text of the charset that it names.

        Example: ``await req.body()`` is ``'{"id": 7}'``.
        """
        return await self._req.text(limit=limit)

    async def body_json(self, *, limit: Size | None = "1mb") -> Any:
        """Read the body as JSON.

        Raises:
            BodyError: 413; 415; 400, it is not JSON.

        Example: ``await req.body_json()`` is ``{"id": 7}``.
        """
        return await self._req.json(limit=limit)

    def has_body(self) -> bool:
        """Tell whether the client announced a body.

        Example: ``req.has_body()`` is ``True``.
        """
        return self.content_length() not in (0, None) or self._req.get("Transfer-Encoding") is not None

    def content_type(self) -> str | None:
        """Return the type of the body, as the client wrote it.

        Example: ``req.content_type()`` is ``"application/json"``.
        """
        return self._req.get("Content-Type")

    def content_length(self) -> int | None:
        """Return the bytes of the body, ``None`` where the client did not tell.

        Example: ``req.content_length()`` is ``9``.
        """
        text = self._req.get("Content-Length") or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    def host(self) -> str | None:
        """Return the host and port that were asked for.

        Example: ``req.host()`` is ``"example.com:8080"``.
        """
        return self._req.host

    def param(self, name: str) -> str | None:
        """Return a parameter of the path; the rest of a path is one text.

        Example: ``req.param("filepath")`` is ``"docs/guides/readme.md"`` for ``/files/docs/guides/readme.md``.
        """
        value = self._req.params.get(name)
        return "/".join(value) if isinstance(value, list) else None if value is None else str(value)

    def params(self) -> dict[str, Any]:
        """Return all parameters of the path.

        Example: ``req.params()`` is ``{"id": "7"}``.
        """
        return dict(self._req.params)

    def remote_addr(self) -> str | None:
        """Return the address and port of the client, or what ``real_ip`` has put in their place.

        Example: ``req.remote_addr()`` is ``"127.0.0.1:50000"``.
        """
        client = self._req.scope.get("client")
        if not client:
            return None
        host = f"[{client[0]}]" if ":" in client[0] else client[0]
        return f"{host}:{client[1]}"

    def accepts(self, kind: str) -> bool:
        """Tell whether the client takes a type.

        Example: ``req.accepts("application/json")`` is ``True``.
        """
        return bool(self._req.accepts(kind))

    def is_content_type(self, kind: str) -> bool:
        """Tell whether the body is of a type.

        Example: ``req.is_content_type("application/json")`` is ``True``.
        """
        return bool(self._req.is_(kind))

    def stream(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece as it arrives.

        Example: ``[piece async for piece in req.stream()]`` is ``[b'{"id": 7}']``.
        """
        return self._req.stream()

    async def parse_multipart(self, max_size: Size | None = "10mb") -> Form:
        """Read the body as a form with files.

        Args:
            max_size: bytes that it may have.

        Raises:
            BodyError: 413; 415, it is not a form; 400, it is broken or cut off.

        Example::

            form = await req.parse_multipart("20mb")
            form.values["title"][0]  # -> "Photos"
        """
        return Form((await self._req.form(limit=max_size)).multi_items())


class Form:
    """A form that was sent.

    Attributes:
        values: the texts of each field.
        files: the files of each field.

    Example::

        form = await req.parse_multipart()
        [file.name for file in form.files["photos"]]  # -> ["one.txt"]
    """

    __slots__ = ("files", "values")

    def __init__(self, items: list[tuple[str, Any]]) -> None:
        self.values: dict[str, list[str]] = {}
        self.files: dict[str, list[File]] = {}
        for name, value in items:
            if isinstance(value, UploadFile):
                self.files.setdefault(name, []).append(File(value))
            else:
                self.values.setdefault(name, []).append(value)


class File:
    """A file of a form.

    Attributes:
        name: its name; the client chose it: never make a path of it.
        size: its bytes.

    Example::

        file = (await req.parse_multipart()).files["photos"][0]
        file.size  # -> 5
    """

    __slots__ = ("_file", "name", "size")

    def __init__(self, file: UploadFile) -> None:
        self._file = file
        self.name = file.filename or ""
        self.size = file.size or 0

    def header(self, name: str) -> str | None:
        """Return a header of its part, ``None`` without it.

        Example::

            file = (await req.parse_multipart()).files["photos"][0]
            file.header("Content-Type")  # -> "text/plain"
        """
        return self._file.headers.get(name)

    async def stream(self) -> AsyncIterator[bytes]:
        """Give the content piece by piece.

        Example::

            file = (await req.parse_multipart()).files["photos"][0]
            [piece async for piece in file.stream()]  # -> [b"first"]
        """
        while piece := await self._file.read(_CHUNK):
            yield piece
