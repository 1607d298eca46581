"""Every error of the package, in one small tree.

::

    ExpressError
    ├── PathError            a path that cannot be compiled            (also TypeError)
    ├── MisuseError          a rule of the framework was broken        (also RuntimeError)
    │   └── HeadersSentError the answer is already on its way
    └── HTTPError            an answer: status, type, message, headers
        ├── DecodeError      400, a parameter is not valid percent-encoded UTF-8
        ├── BodyError        4xx, a body that cannot be used; ``type`` as in body-parser
        └── ClientDisconnect 400, the client left before its body was complete

The first two are programmer's errors. The message of an ``HTTPError`` reaches the client only if ``expose``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgi_express._status import reason

__all__ = [
    "BodyError",
    "ClientDisconnect",
    "DecodeError",
    "ExpressError",
    "HTTPError",
    "HeadersSentError",
    "MisuseError",
    "PathError",
]


class ExpressError(Exception):
    """The root of the tree."""


class PathError(ExpressError, TypeError):
    """A path that cannot be compiled; raised when it is registered.

    Attributes:
        path: the path as it was written, if it was text.
        index: the offset of the fault in it, if there is one place to point at.
    """

    def __init__(self, message: str, *, path: str | None = None, index: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.index = index


class MisuseError(ExpressError, RuntimeError):
    """A rule of the framework was broken by the program; the message says which, and by whom."""


class HeadersSentError(MisuseError):
    """Something was to be decided about an answer that is already on its way."""


class HTTPError(ExpressError):
    """An error that is an answer.

    Args:
        status: 400 to 599.
        message: what went wrong; the reason phrase of the status by default.
        type: a stable machine-readable word, such as ``"entity.too.large"``.
        expose: whether the client may read the message; by default for statuses below 500.
        headers: headers for the answer.

    Raises:
        ValueError: the status is not an error status.
    """

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        type: str | None = None,  # noqa: A002 - the word that body-parser and http-errors use
        expose: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(status, int) or not 400 <= status <= 599:
            msg = f"HTTPError: status must be an integer from 400 to 599, not {status!r}"
            raise ValueError(msg)
        self.status = status
        self.message = reason(status) if message is None else message
        self.type = type
        self.expose = status < 500 if expose is None else expose
        self.headers: dict[str, str] = dict(headers or {})
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state: an error may come out of a process pool."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[HTTPError], args: tuple[Any, ...], state: dict[str, Any]) -> HTTPError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class DecodeError(HTTPError):
    """A path parameter that is not valid percent-encoded UTF-8.

    Args:
        raw: the text of the parameter as it stood in the path.
    """

    def __init__(self, raw: str) -> None:
        super().__init__(400, f"Failed to decode param '{raw}'", type="param.decode.failed")
        self.raw = raw


class BodyError(HTTPError):
    """A request body that cannot be used.

    Args:
        status: the 4xx status that body-parser gives.
        message: what is wrong with it.
        type: body-parser's word for it, such as ``"entity.parse.failed"``.
        details: further facts (``limit``, ``length``, ``received``, ``charset`` ...), set as attributes.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str,  # noqa: A002 - body-parser's word
        **details: Any,
    ) -> None:
        super().__init__(status, message, type=type)
        self.details = details

    def __getattr__(self, name: str) -> Any:
        """Give the facts as attributes, as body-parser does."""
        try:
            return self.__dict__["details"][name]
        except KeyError:
            raise AttributeError(name) from None


class ClientDisconnect(HTTPError):
    """The client went away before its request body was complete."""

    def __init__(self, received: int = 0) -> None:
        super().__init__(400, "request aborted", type="request.aborted")
        self.received = received
