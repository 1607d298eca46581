"""The request object, which actions call ``self``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from asgi_express._compose import with_query
from asgi_express._cookies import parse_cookies
from asgi_express._urls import encode_url, escape_html
from asgi_express.actions._cookies import Cookies
from asgi_express.actions._params import add_params
from asgi_express.actions._raw import RawRequest
from asgi_express.errors import BadRequest, MisuseError

if TYPE_CHECKING:
    from asgi_express.actions._app import Actions
    from asgi_express.actions.flow import Flow
    from asgi_express.request import Request
    from asgi_express.response import Response

__all__ = ["OPTIONS", "ActionRequest", "Html"]

OPTIONS = ("status", "render", "content_type", "json", "layout", "redirect_to", "headers", "locals", "skip_render")
"""The render options."""

_ABSOLUTE = re.compile("[A-Za-z][A-Za-z0-9+.-]*:|//")
_HOST = re.compile(r"[A-Za-z0-9._~%-]+\Z|\[[0-9A-Fa-f:.]+\]\Z")
_PARTS = ("scheme", "host", "port", "fragment", "query")
_PORTS = {"http": 80, "https": 443}


class Html(str):
    """Text that is HTML already; Jinja2 does not escape it."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


class ActionRequest:
    """What an action is given.

    Attributes:
        app: the ``Actions`` app.
        req: the raw request.
        res: the response of the router, for what the options do not say.
        route_name: the name of the route; ``None`` if it has none.
        route_pattern: its path as it was written; ``None`` in ``default_route``.
        params: all parameters: the query, then the form, then the path; the later wins.
        GET, POST, url_params: the same apart.
        cookies: the cookies; what is assigned is sent.
        options: the render options, as ``write`` has collected them.
        buffer: the text that ``write`` has collected.
        json: what ``json_params`` has read; ``None`` before.
        errors: what ``capture_errors`` has caught; ``None`` before.
        original_request: for ``handle_error``, the request object that failed; ``None`` otherwise.

    Whatever else is set on it is seen by the views.
    """

    def __init__(
        self,
        app: Actions,
        req: Request,
        res: Response,
        *,
        route_name: str | None = None,
        route_pattern: str | None = None,
        url_params: Mapping[str, Any] | None = None,
    ) -> None:
        self.app = app
        self.req = RawRequest(req)
        self.res = res
        self.route_name = route_name
        self.route_pattern = route_pattern
        self.params: dict[str, Any] = {}
        self.GET: dict[str, Any] = {}
        self.POST: dict[str, Any] = {}
        self.url_params: dict[str, Any] = dict(url_params or {})
        self.cookies = Cookies(parse_cookies(req.get("Cookie") or ""))
        self.options: dict[str, Any] = {}
        self.buffer: list[str] = []
        self.json: Any = None
        self.errors: list[Any] | None = None
        self.original_request: ActionRequest | None = None
        self._contents: dict[str, Html] = {}
        self._flows: dict[str, Flow] = {}
        self._wrote = False

    async def _load(self, *, form: bool) -> None:
        """Read the parameters, those of a form if it is wanted."""
        if form:
            await self.req.read_form()
        self.GET, self.POST = self.req.params_get, self.req.params_post
        for params in (self.GET, self.POST):
            add_params(self.params, params)
        self.params |= self.url_params

    @property
    def session(self) -> Any:
        """The session, a mapping of text to what JSON can hold; signed, and saved with the answer.

        Raises:
            MisuseError: the app has no secret, and nothing around it keeps sessions.

        Example: ``self.session["user"] = "ada"``
        """
        session = self.req.express.session
        if session is None:
            msg = "self.session: sessions are signed, which takes a secret: Actions(secret=os.environ['SECRET'])"
            raise MisuseError(msg)
        return session

    # -- writing

    def write(self, *things: Any) -> None:
        """Write to the answer.

        Args:
            *things: text is appended to the buffer; of a mapping, the pairs with text as keys are render options and
                the other values are written; the items of a list or tuple are written; a callable is called with
                the buffer, and its result is written; ``None`` is nothing.

        Raises:
            TypeError: it is something else, or there is no such option.

        Example::

            self.write("Hello", {"status": 201})
        """
        self._wrote = True
        for thing in things:
            self._write(thing)

    def _write(self, thing: Any) -> None:
        if thing is None or thing is self.res:
            return  # nothing, or an answer of its own: return self.res.send(...)
        if isinstance(thing, str):
            self.buffer.append(thing)
        elif isinstance(thing, Mapping):
            for key, value in thing.items():
                if not isinstance(key, str):
                    self._write(value)
                elif key in OPTIONS:
                    self.options[key] = value
                else:
                    msg = (
                        f"there is no render option {key!r}; there are {', '.join(OPTIONS)}; "
                        'to answer with JSON, return {"json": ...}'
                    )
                    raise TypeError(msg)
        elif isinstance(thing, (list, tuple)):
            for item in thing:
                self._write(item)
        elif isawaitable(thing) or not callable(thing):
            msg = f"don't know how to write: ({type(thing).__name__}) {thing!r}"
            raise TypeError(msg)
        else:
            self._write(thing(self.buffer))

    def content_for(self, name: str, content: str | None = None) -> Html:
        """Return what was left for a layout under a name, ``"inner"`` being the page; with ``content``, leave it there.

        Args:
            name: any word.
            content: text to append; it is escaped unless it is HTML already (``markupsafe.Markup``).

        Example::

            self.content_for("title", "All users")
        """
        if content is not None:
            as_html = getattr(content, "__html__", None)
            added = escape_html(content) if as_html is None else as_html()
            self._contents[name] = Html(self._contents.get(name, "") + added)
        return self._contents.get(name, Html())

    # -- addresses

    def url_for(
        self,
        target: Any,
        params: Mapping[str, Any] | None = None,
        /,
        query: Mapping[str, Any] | str | None = None,
        **values: Any,
    ) -> str:
        """Return the path of a named route, with the prefixes of the mounts around the app.

        Args:
            target: the name; or an object whose ``url_params(request, params, **values)`` returns the name, or a tuple
                of the name, the parameters and the query, or another such object.
            params: parameters by name: text, numbers, and objects whose ``url_key`` is a value or a method of
                the route's and the parameter's name.
            query: values by name, or text.
            **values: parameters by name.

        Raises:
            UrlError: there is no such route, or a parameter is missing, unknown or unfit.

        Example::

            self.url_for("user", id=7)  # -> "/users/7"
        """
        if isinstance(target, str):
            return self.req.express.url_for(target, {**(params or {}), **values}, query=query)
        url_params = getattr(target, "url_params", None)
        if url_params is None:
            msg = f"url_for: expected the name of a route, or an object with url_params, got {target!r}"
            raise TypeError(msg)
        found = url_params(self, *(() if params is None else (params,)), **values)
        name, params, own_query = (*found, None, None)[:3] if isinstance(found, tuple) else (found, None, None)
        return self.url_for(name, params, query if own_query is None else own_query)

    def build_url(self, path: str | None = None, options: Mapping[str, Any] | None = None, /, **more: Any) -> str:
        """Return an absolute URL on the host that was asked for.

        Args:
            path: a path, with or without a query; what is absolute already is returned as it is.
            options: ``scheme``, ``host``, ``port``, ``fragment`` and ``query`` in place of those of the request.
            **more: the same by keyword.

        Raises:
            BadRequest: the request names no host, or what it names is none.
            TypeError: there is no such option.

        Example::

            self.build_url("hello", port=8080)  # -> "http://localhost:8080/hello"
        """
        if path is not None and _ABSOLUTE.match(path):
            return path
        parts = {**(options or {}), **more}
        unknown = [name for name in parts if name not in _PARTS]
        if unknown:
            msg = f"build_url: there is no option {unknown[0]!r}; there are {', '.join(_PARTS)}"
            raise TypeError(msg)
        own = self.req.parsed_url
        scheme = parts.get("scheme", own.scheme)
        port = parts.get("port", None if own.port == _PORTS.get(own.scheme) else own.port)
        host = parts.get("host", own.host)
        if not host or not _HOST.match(host):
            msg = f"build_url: {host!r} is not a host"
            raise BadRequest(msg)
        url = f"{scheme}://{host}" + ("" if port is None else f":{port}")
        if path is not None:
            path, mark, query = path.partition("?")
            parts.setdefault("query", query if mark else None)
            url += encode_url("/" + path.removeprefix("/"))
        url = with_query(url, parts.get("query"))
        return f"{url}#{encode_url(parts['fragment'])}" if parts.get("fragment") else url

    # -- flows

    def flow(self, name: str) -> Any:
        """Return the flow of a name, the same one throughout the request.

        Raises:
            MisuseError: the app has no flow of that name.

        Example::

            self.flow("accounts").sign_in()
        """
        if name not in self._flows:
            self._flows[name] = self.app._flow_class(name)(self)
        return self._flows[name]
