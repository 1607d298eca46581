"""From render options to an answer."""

from __future__ import annotations

import logging
import re
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from asgi_express._cookies import serialize_cookie
from asgi_express._urls import safe_redirect_target
from asgi_express.actions._calls import call
from asgi_express.actions._request import Html
from asgi_express.actions.csrf import generate_token
from asgi_express.errors import MisuseError

if TYPE_CHECKING:
    from asgi_express.actions._request import ActionRequest

__all__ = ["render"]

_log = logging.getLogger("asgi_express.actions")

_ENDS = re.compile(r"\s*(?:expires|max-age)\s*(?:=|\Z)", re.IGNORECASE)


async def render(request: ActionRequest) -> None:
    """Answer as the options say; where that fails, nothing of it is in the answer to the error.

    Raises:
        MisuseError: a redirect leads elsewhere, or a view has no name.
        TypeError: an option is of a wrong type.
        ViewError: there is no such view.
    """
    options = request.options
    res = request.res
    if options.get("skip_render") or (res.finished and not options and not request.buffer):
        if request.cookies.assigned:
            _log.warning(
                "%r were not sent: the action answered itself; self.res.cookie(...) sends them", request.cookies
            )
        return
    target = None if "json" in options else options.get("redirect_to")
    if target is not None:
        _check_redirect(request, target)
    page = "" if "json" in options or target is not None else await _page(request)
    cookies = [await _cookie(request, name, value) for name, value in request.cookies.assigned.items()]
    before = res.status_code, dict(res._headers)
    try:
        _answer(request, target, page, cookies)
    except Exception:
        if not res.headers_sent:
            res._status, res._headers = before
        raise


def _answer(request: ActionRequest, target: str | None, page: str, cookies: list[str]) -> None:
    options = request.options
    res = request.res
    if options.get("status") is not None:
        res.status(options["status"])
    if options.get("headers"):
        res.set(options["headers"])
    if options.get("content_type") is not None:
        res.set("Content-Type", options["content_type"])
    for cookie in cookies:
        res.append("Set-Cookie", cookie)
    if "json" in options:
        res.json(options["json"])
    elif target is not None:
        res.redirect(target, options.get("status") or 302)
    else:
        res.send(page)


def _check_redirect(request: ActionRequest, target: Any) -> None:
    allowed = (*([request.req.host] if request.req.host else ()), *request.app.redirect_hosts)
    if not isinstance(target, str) or not safe_redirect_target(target, allowed_hosts=allowed):
        msg = (
            f"redirect_to: {target!r} does not stay on this site; "
            "Actions(redirect_hosts=[...]) names the other hosts that it may lead to"
        )
        raise MisuseError(msg)


async def _page(request: ActionRequest) -> str:
    options = request.options
    view = options.get("render")
    if view is True:
        view = request.route_name
        if view is None:
            msg = f"render=True takes the name of the route for the view, and {request.route_pattern!r} has none"
            raise MisuseError(msg)
    if view:
        request.buffer.append(await _view(request, view))
    text = "".join(request.buffer)
    layout = options.get("layout")
    layout = request.app.layout if layout is None else layout
    if not layout:
        return text
    request._contents["inner"] = Html(text)
    return await _view(request, layout)


async def _view(request: ActionRequest, view: Any) -> str:
    """Return a rendered view: a name, a function of the request object, or a class of it with ``render``."""
    if not isinstance(view, str):
        if not callable(view):
            msg = f"a view is a name, or a function or class that takes the request object, not {view!r}"
            raise TypeError(msg)
        made = await call(view, request)
        made = made.render() if hasattr(made, "render") else made
        text: str = await made if isawaitable(made) else made
        return text
    own = {name: value for name, value in vars(request).items() if not name.startswith("_")}
    values = {
        **own,
        "request": request,
        "session": request.req.express.session,
        "url_for": request.url_for,
        "build_url": request.build_url,
        "content_for": request.content_for,
        "csrf_token": lambda: generate_token(request),
        **(request.options.get("locals") or {}),
    }
    return await request.app._renderer.render(view, values)


async def _cookie(request: ActionRequest, name: str, value: str | None) -> str:
    app = request.app
    if name == app._csrf_cookie:
        secure = request.req.express.secure
        expires = 0 if value is None else None
        return serialize_cookie(name, value or "", http_only=True, same_site="lax", secure=secure, expires=expires)
    attributes = await call(app.cookie_attributes, request, name, value or "")
    if value is None:
        return _forgotten(name, attributes)
    if isinstance(attributes, str):
        pair = serialize_cookie(name, value, path=None)
        return f"{pair}; {attributes}" if attributes else pair
    return serialize_cookie(name, value, **(attributes or {}))


def _forgotten(name: str, attributes: Any) -> str:
    """Return what makes a client forget a cookie, which it does only with the path and domain it was set with."""
    if not isinstance(attributes, str):
        return serialize_cookie(name, "", **{**(attributes or {}), "max_age": None, "expires": 0})
    kept = [each.strip() for each in attributes.split(";") if not _ENDS.match(each)]
    return "; ".join(filter(None, [serialize_cookie(name, "", path=None, expires=0), *kept]))
