"""What an app does of its own accord where it matters little or much: the functions that users replace.

They are called with the request object, as actions are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_express._urls import encode_url
from asgi_express.actions._calls import PASS_ON

if TYPE_CHECKING:
    from asgi_express.actions._request import ActionRequest

__all__ = ["CALLBACKS", "cookie_attributes", "default_route", "handle_404", "handle_error"]

CALLBACKS = ("default_route", "handle_404", "handle_error", "cookie_attributes")


def default_route(self: ActionRequest) -> Any:
    """Redirect to the same path without the slashes at its end; where there is none, ask ``handle_404``.

    Example::

        def default_route(self):
            log.info("nothing is at %s", self.req.cmd_url)
            return Actions.default_route(self)
    """
    path, _, query = self.req.original_url.partition("?")
    if self.req.express.path == "/" or not path.endswith("/"):
        return self.app.handle_404(self)
    # One slash in front: two would lead to another host.
    target = encode_url("/" + path.strip("/") + (f"?{query}" if query else "")).replace("\\", "%5C")
    # 308 where there may be a body: a client turns 301 into a GET (RFC 9110 section 15.4.2).
    return {"redirect_to": target, "status": 301 if self.req.method in ("GET", "HEAD") else 308}


def handle_404(self: ActionRequest) -> Any:
    """Leave the request to what comes after the app: another router, or the 404 of Express.

    Example::

        app.handle_404 = lambda self: {"status": 404, "render": "missing"}
    """
    return PASS_ON


def handle_error(self: ActionRequest, err: Exception, trace: str) -> Any:
    """Leave the error to the error handlers around the app, and at last to the 500 of Express.

    Args:
        self: a fresh request object; ``self.original_request`` is the one that failed.
        err: the error.
        trace: its traceback, as text.

    Example::

        app.handle_error = lambda self, err, trace: {"render": "error"}
    """
    raise err


def cookie_attributes(self: ActionRequest, name: str, value: str) -> Any:
    """Return the attributes of a cookie that an action has assigned: options of ``res.cookie``, or text.

    Example::

        app.cookie_attributes = lambda self, name, value: {"max_age": "365d", "http_only": True}
    """
    return {"path": "/", "http_only": True}
