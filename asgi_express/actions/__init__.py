"""Actions: applications in the style of Lapis.

::

    from asgi_express.actions import Actions

    app = Actions(secret=os.environ["SECRET"])


    @app.match("home", "/")
    def home(self):
        return {"render": True}, {"layout": "page"}

An action is given the request object, which it calls ``self``, and returns what to answer: text, render options, or
both. ``docs/actions.md`` has the whole.
"""

from asgi_express.actions._app import Actions
from asgi_express.actions._calls import PASS_ON
from asgi_express.actions._cookies import Cookies
from asgi_express.actions._marks import before_filter, delete, get, match, patch, post, put
from asgi_express.actions._raw import ParsedURL, RawRequest
from asgi_express.actions._request import ActionRequest, Html
from asgi_express.actions.errors import YieldedError, assert_error, capture_errors, capture_errors_json, yield_error
from asgi_express.actions.flow import Flow, memo
from asgi_express.actions.respond import Responder, json_params, respond_to

__all__ = [
    "PASS_ON",
    "ActionRequest",
    "Actions",
    "Cookies",
    "Flow",
    "Html",
    "ParsedURL",
    "RawRequest",
    "Responder",
    "YieldedError",
    "assert_error",
    "before_filter",
    "capture_errors",
    "capture_errors_json",
    "delete",
    "get",
    "json_params",
    "match",
    "memo",
    "patch",
    "post",
    "put",
    "respond_to",
    "yield_error",
]
