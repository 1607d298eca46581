"""``self.req``: the request as it came, before an action makes something of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_express.actions._params import query_params

if TYPE_CHECKING:
    from starlette.datastructures import MutableHeaders

    from asgi_express.request import Request

__all__ = ["ParsedURL", "RawRequest"]

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class ParsedURL(NamedTuple):
    """The parts of the URL of a request.

    Attributes:
        scheme: ``"http"`` or ``"https"``; by the setting ``trust proxy``.
        host: the host that was asked for, without the port; ``None`` if the request names none.
        port: its port; ``None`` for the usual one.
        path: the whole path, percent-encoded, with the prefixes of mounts.
        query: the text after the ``?``; ``None`` without one.
    """

    scheme: str
    host: str | None
    port: int | None
    path: str
    query: str | None


class RawRequest:
    """The raw request. What it does not have itself, it has from Express's ``Request``: ``self.req.ip``.

    Attributes:
        express: the ``Request`` of the router.
        params_post: the fields of the form that was sent, the last of each name; files are Starlette's ``UploadFile``.
    """

    def __init__(self, express: Request) -> None:
        self.express = express
        self.params_post: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.express, name)

    @property
    def method(self) -> str:
        """The method.

        Example: ``self.req.method`` is ``"POST"``.
        """
        return self.express.method

    @property
    def headers(self) -> MutableHeaders:
        """The headers, case-insensitive.

        Example: ``self.req.headers["Accept"]`` is ``"text/html"`` for ``Accept: text/html``.
        """
        return self.express.headers

    @property
    def cmd_url(self) -> str:
        """The path and query as the client sent them; ``request_uri`` is the same.

        Example: ``self.req.cmd_url`` is ``"/users?page=2"`` for ``/users?page=2``.
        """
        return self.express.original_url

    request_uri = cmd_url

    @cached_property
    def params_get(self) -> dict[str, str | bool]:
        """The parameters of the query, the last of each name; ``True`` for one without ``=``.

        Example: ``self.req.params_get["page"]`` is ``"2"`` for ``/users?page=2``.
        """
        return query_params(self.express.url.partition("?")[2].partition("#")[0])

    @cached_property
    def parsed_url(self) -> ParsedURL:
        """The parts of the URL.

        Example: ``self.req.parsed_url.path`` is ``"/users"`` for ``/users?page=2``.
        """
        express = self.express
        host = express.hostname
        port = (express.host or "")[len(host or "") :].removeprefix(":")
        path, mark, query = express.original_url.partition("#")[0].partition("?")
        if "://" in path and not path.startswith("/"):  # an absolute-form target, RFC 9112 section 3.2.2
            path = "/" + path.partition("://")[2].partition("/")[2]
        is_port = port.isascii() and port.isdigit() and len(port) <= 5
        return ParsedURL(express.protocol, host, int(port) if is_port else None, path, query if mark else None)

    async def read_form(self) -> None:
        """Read the form, if one was sent. Before an action runs, it has been read; ``default_route`` does it itself.

        Raises:
            BodyError: 413, 415 or 400: it is too large, or broken.

        Example::

            await self.req.read_form()
        """
        kind = (self.express.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind in _FORMS:
            self.params_post = dict((await self.express.form()).multi_items())

    async def read_body_as_string(self) -> str:
        """Return the body as text.

        Raises:
            BodyError: 413 or 400: it is too large, or no text.

        Example::

            note = await self.req.read_body_as_string()
        """
        return await self.express.text()
