"""Every error of the package, in one small tree.

::

    ExpressError
    ├── PathError            a path that cannot be compiled            (also TypeError)
    ├── UrlError             ``url_for`` cannot make a URL             (also LookupError)
    ├── MisuseError          a rule of the framework was broken        (also RuntimeError)
    │   └── HeadersSentError the answer is already on its way
    └── HTTPError            an answer: status, type, message, headers
        ├── DecodeError      400, a parameter is not valid percent-encoded UTF-8
        ├── BodyError        4xx, a body that cannot be used; ``type`` as in body-parser
        ├── ClientDisconnect 400, the client left before its body was complete
        └── NamedHTTPError   BadRequest, Unauthorized, Forbidden, NotFound ...: a class for each usual status

The first two are programmer's errors. The message of an ``HTTPError`` reaches the client only if ``expose``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from asgi_express._status import reason

__all__ = [
    "BadGateway", "BadRequest", "BodyError", "ClientDisconnect", "Conflict", "DecodeError", "ExpressError",
    "Forbidden", "GatewayTimeout", "Gone", "HTTPError", "HeadersSentError", "ImATeapot",
    "InternalServerError", "LengthRequired", "Locked", "MethodNotAllowed", "MisdirectedRequest",
    "MisuseError", "NamedHTTPError", "NotAcceptable", "NotFound", "PathError", "PayloadTooLarge",
    "PaymentRequired", "PreconditionFailed", "PreconditionRequired", "RangeNotSatisfiable",
    "RequestHeaderFieldsTooLarge", "RequestTimeout", "ServiceUnavailable", "TooEarly", "TooManyRequests",
    "URITooLong", "Unauthorized", "UnavailableForLegalReasons", "UnprocessableEntity", "UnsupportedMediaType",
    "UpgradeRequired", "UrlError", "check",
]  # fmt: skip

T = TypeVar("T")


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


class UrlError(ExpressError, LookupError):
    """No URL can be made of a name and parameters; the message says what is missing, too many, or of no use."""


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


def check(condition: T | None, message: str | None = None, status: int = 500) -> T:
    """Return what was checked if it is true, else raise an ``HTTPError``.

    Args:
        condition: anything; what Python takes for false fails.
        message: what went wrong; below 500 the client may read it.
        status: 400 to 599.

    Raises:
        HTTPError: ``condition`` is false.

    Example::

        check({"id": 7}, "No such user", 404)  # -> {"id": 7}
    """
    if not condition:
        raise HTTPError(status, message)
    return condition


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


class NamedHTTPError(HTTPError):
    """An ``HTTPError`` whose class is its status: ``raise NotFound("no such user")``.

    Args:
        message: what went wrong; the reason phrase of the status by default.
        type: a stable machine-readable word.
        expose: whether the client may read the message; by default for statuses below 500.
        headers: headers for the answer.
    """

    code: ClassVar[int]

    def __init__(
        self,
        message: str | None = None,
        *,
        type: str | None = None,  # noqa: A002 - the word that body-parser and http-errors use
        expose: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(self.code, message, type=type, expose=expose, headers=headers)


class BadRequest(NamedHTTPError):
    """400 Bad Request."""

    code = 400


class Unauthorized(NamedHTTPError):
    """401 Unauthorized."""

    code = 401


class PaymentRequired(NamedHTTPError):
    """402 Payment Required."""

    code = 402


class Forbidden(NamedHTTPError):
    """403 Forbidden."""

    code = 403


class NotFound(NamedHTTPError):
    """404 Not Found."""

    code = 404


class MethodNotAllowed(NamedHTTPError):
    """405 Method Not Allowed."""

    code = 405


class NotAcceptable(NamedHTTPError):
    """406 Not Acceptable.

    Attributes:
        types: the media types that there would have been, for ``res.format``.
    """

    code = 406
    types: Sequence[str] = ()


class RequestTimeout(NamedHTTPError):
    """408 Request Timeout."""

    code = 408


class Conflict(NamedHTTPError):
    """409 Conflict."""

    code = 409


class Gone(NamedHTTPError):
    """410 Gone."""

    code = 410


class LengthRequired(NamedHTTPError):
    """411 Length Required."""

    code = 411


class PreconditionFailed(NamedHTTPError):
    """412 Precondition Failed."""

    code = 412


class PayloadTooLarge(NamedHTTPError):
    """413 Payload Too Large."""

    code = 413


class URITooLong(NamedHTTPError):
    """414 URI Too Long."""

    code = 414


class UnsupportedMediaType(NamedHTTPError):
    """415 Unsupported Media Type."""

    code = 415


class RangeNotSatisfiable(NamedHTTPError):
    """416 Range Not Satisfiable."""

    code = 416


class ImATeapot(NamedHTTPError):
    """418 I'm a Teapot."""

    code = 418


class MisdirectedRequest(NamedHTTPError):
    """421 Misdirected Request."""

    code = 421


class UnprocessableEntity(NamedHTTPError):
    """422 Unprocessable Entity."""

    code = 422


class Locked(NamedHTTPError):
    """423 Locked."""

    code = 423


class TooEarly(NamedHTTPError):
    """425 Too Early."""

    code = 425


class UpgradeRequired(NamedHTTPError):
    """426 Upgrade Required."""

    code = 426


class PreconditionRequired(NamedHTTPError):
    """428 Precondition Required."""

    code = 428


class TooManyRequests(NamedHTTPError):
    """429 Too Many Requests."""

    code = 429


class RequestHeaderFieldsTooLarge(NamedHTTPError):
    """431 Request Header Fields Too Large."""

    code = 431


class UnavailableForLegalReasons(NamedHTTPError):
    """451 Unavailable For Legal Reasons."""

    code = 451


class InternalServerError(NamedHTTPError):
    """500 Internal Server Error."""

    code = 500


class BadGateway(NamedHTTPError):
    """502 Bad Gateway."""

    code = 502


class ServiceUnavailable(NamedHTTPError):
    """503 Service Unavailable."""

    code = 503


class GatewayTimeout(NamedHTTPError):
    """504 Gateway Timeout."""

    code = 504
