"""Errors that are expected, and are answered where they are captured.

``yield_error`` and ``assert_error`` stop an action; ``capture_errors`` around it answers. What nobody captures is an
ordinary error of the action, and reaches ``handle_error``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, TypeVar, overload

from asgi_express.actions._calls import Action, call
from asgi_express.errors import ExpressError

__all__ = ["YieldedError", "assert_error", "capture_errors", "capture_errors_json", "yield_error"]

T = TypeVar("T")


class YieldedError(ExpressError):
    """What ``yield_error`` raises.

    Attributes:
        errors: the messages, for ``self.errors``.
    """

    def __init__(self, message: Any) -> None:
        super().__init__(message)
        self.errors = [message]


def yield_error(message: Any) -> NoReturn:
    """Stop the action with an error.

    Raises:
        YieldedError: always.

    Example::

        def sign_in(self):
            yield_error("The password is wrong")
    """
    raise YieldedError(message)


def assert_error(value: T | None, message: Any = "assertion failed!") -> T:
    """Return a value; stop the action with an error if it is false, as Python means it: ``None``, ``""``, ``0``.

    Raises:
        YieldedError: it is.

    Example::

        user = assert_error(users.get(self.params["id"]), "There is no such user")  # -> "Ada"
    """
    if not value:
        raise YieldedError(message)
    return value


def _render_itself(request: Any) -> dict[str, Any]:
    return {"render": True}


@overload
def capture_errors(fn: Action, /, on_error: Action = ...) -> Action: ...
@overload
def capture_errors(*, on_error: Action = ...) -> Callable[[Action], Action]: ...
def capture_errors(fn: Action | None = None, /, on_error: Action = _render_itself) -> Any:
    """Return an action that answers errors which ``fn`` has yielded: ``self.errors`` is a list of them.

    Args:
        fn: an action; without one, be a decorator.
        on_error: the action that answers; by default the view of the route's name is rendered.

    Example::

        app.post("sign_in", "/sign-in", capture_errors(sign_in, lambda self: {"render": "sign_in"}))
    """
    if fn is None:
        return lambda action: capture_errors(action, on_error)
    action = fn

    @wraps(action)
    async def captured(request: Any) -> Any:
        try:
            return await call(action, request)
        except YieldedError as error:
            request.errors = error.errors
            return await call(on_error, request)

    return captured


def capture_errors_json(fn: Action) -> Action:
    """Return an action that answers yielded errors as JSON: ``{"errors": ["..."]}``.

    Example::

        app.post("/users", capture_errors_json(add_user))
    """
    return capture_errors(fn, lambda request: {"json": {"errors": request.errors}})
