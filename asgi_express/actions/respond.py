"""Actions made of actions: one for each method, and one that reads JSON."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import wraps
from typing import Any

from asgi_express.actions._calls import Action, call, run_filter
from asgi_express.actions._params import add_params
from asgi_express.actions.errors import capture_errors
from asgi_express.errors import MethodNotAllowed

__all__ = ["Responder", "json_params", "respond_to"]


class Responder:
    """An action that is one action for each method.

    HEAD is answered as GET is, without the body; OPTIONS with ``Allow``; what is not among the methods with 405.

    Args:
        before: a filter that runs before any of them.
        on_error: answers yielded errors, as in ``capture_errors``.
        on_invalid_method: answers other methods in place of the 405.
        methods: the actions by method; ``HEAD=False`` refuses HEAD.

    Attributes:
        actions: the actions by method.
    """

    def __init__(
        self,
        *,
        before: Action | None = None,
        on_error: Action | None = None,
        on_invalid_method: Action | None = None,
        methods: Mapping[str, Any],
    ) -> None:
        for method, action in methods.items():
            if method != method.upper() or not (callable(action) or (method == "HEAD" and action is False)):
                msg = f"respond_to: expected an action by method, as in GET=show, got {method}={action!r}"
                raise TypeError(msg)
        self._refuses_head = methods.get("HEAD") is False
        self.actions: dict[str, Action] = {method: action for method, action in methods.items() if action is not False}
        self._before = before
        self._on_invalid_method = on_invalid_method
        self._on_error = on_error

    @property
    def allowed(self) -> tuple[str, ...]:
        """What ``Allow`` says.

        Example: ``respond_to(GET=show).allowed`` is ``("GET", "HEAD")``.
        """
        head = "GET" in self.actions and "HEAD" not in self.actions and not self._refuses_head
        return (*self.actions, *(("HEAD",) if head else ()))

    async def __call__(self, request: Any) -> Any:
        """Answer a request by its method."""
        if self._on_error is None:
            return await self._respond(request)
        return await capture_errors(self._respond, self._on_error)(request)

    def copy(self) -> Responder:
        """Return another one, to which methods may be added.

        Example::

            other = responder.copy()
        """
        twin = copy(self)
        twin.actions = dict(self.actions)
        return twin

    async def _respond(self, request: Any) -> Any:
        method = request.req.method
        action = self.actions.get(method)
        if action is None and method == "HEAD" and "HEAD" in self.allowed:
            action = self.actions["GET"]
        if action is None:
            return await self._refuse(request)
        if self._before is not None and await run_filter(self._before, request):
            return None
        return await call(action, request)

    async def _refuse(self, request: Any) -> Any:
        if self._on_invalid_method is not None:
            return await call(self._on_invalid_method, request)
        headers = {"Allow": ", ".join(sorted(self.allowed))}
        if request.req.method == "OPTIONS":
            return {"status": 204, "headers": headers, "layout": False}
        raise MethodNotAllowed(headers=headers)


def respond_to(
    methods: Mapping[str, Any] | None = None,
    /,
    *,
    before: Action | None = None,
    on_error: Action | None = None,
    on_invalid_method: Action | None = None,
    **more: Any,
) -> Responder:
    """Return an action that answers by method.

    Args:
        methods: actions by method, in capitals.
        before: a filter that runs before any of them; what it writes is the answer.
        on_error: answers yielded errors, as in ``capture_errors``.
        on_invalid_method: answers other methods; by default that is 405 with ``Allow``.
        **more: actions by method; ``HEAD=False`` refuses HEAD, which otherwise is GET without the body.

    Raises:
        TypeError: an action is not one, or a method is not in capitals.

    Example::

        app.match("user", "/users/:id", respond_to(before=load_user, GET=show, POST=update))
    """
    every = {**(methods or {}), **more}
    return Responder(before=before, on_error=on_error, on_invalid_method=on_invalid_method, methods=every)


def json_params(fn: Action) -> Action:
    """Return an action that finds a JSON body in ``self.json``, and the members of an object in ``self.params``.

    They win over the form and the query, never over the path. A body that is no JSON is answered with 400.

    Example::

        app.post("/users", json_params(add_user))
    """

    @wraps(fn)
    async def with_json(request: Any) -> Any:
        if "application/json" in (request.req.get("Content-Type") or "").lower():
            request.json = await request.req.express.json()
            if isinstance(request.json, dict):
                add_params(request.params, request.json)
                request.params |= request.url_params
        return await call(fn, request)

    return with_json
