"""Tokens against cross-site request forgery, in Lapis's shape: a signed token for a random key in a cookie.

A form of this site carries a token; another site can make the browser send the cookie, but cannot read it, nor sign a
token for it. The cookie is ``HttpOnly`` and ``SameSite=Lax``; signatures are SHA-256 and compared in constant time.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from asgi_express.actions.errors import yield_error

__all__ = ["assert_token", "generate_token", "token_problem", "validate_token"]

# A token may stand in a URL, or in a form that a script writes by hand.
_URL_SAFE = str.maketrans("+/", "-_")
_FROM_URL = str.maketrans("-_", "+/")


def generate_token(request: Any, data: Any = None) -> str:
    """Return a token for the field ``csrf_token`` of a form; the cookie that it belongs to is set if there is none.

    Args:
        request: the request object.
        data: what JSON can hold, for the check in ``validate_token``: a user, an expiry.

    Raises:
        MisuseError: the app has no secret.

    Example::

        self.token = csrf.generate_token(self)
    """
    seal, cookie = request.app._csrf
    key = request.cookies.get(cookie)
    if not key:
        key = request.cookies[cookie] = secrets.token_urlsafe(32)
    content = json.dumps({"k": key, "d": data}, allow_nan=False, separators=(",", ":")).encode()
    text, _, signature = seal.close(urlsafe_b64encode(content).decode()).rpartition(".")
    return f"{text}.{signature.translate(_URL_SAFE)}"


def token_problem(request: Any, check: Callable[[Any], Any] | None = None) -> str | None:
    """Return what is wrong with the token of a request, ``None`` if nothing is.

    The token is the parameter ``csrf_token``, or the header ``X-CSRF-Token``.

    Args:
        request: the request object.
        check: called with the data of the token; a false result refuses it.

    Raises:
        MisuseError: the app has no secret.

    Example::

        csrf.token_problem(self, lambda data: data == self.session["user"])  # -> "missing csrf token"
    """
    seal, cookie = request.app._csrf
    token = request.params.get("csrf_token") or request.req.get("X-CSRF-Token")
    if not isinstance(token, str):
        return "missing csrf token"
    key = request.cookies.get(cookie)
    if not key:
        return "csrf: missing token cookie"
    signed, dot, signature = token.rpartition(".")
    text, _ = seal.open(signed + dot + signature.translate(_FROM_URL))
    if text is None:
        return "csrf: invalid signature"
    content = json.loads(urlsafe_b64decode(text))  # signed here
    if not hmac.compare_digest(content["k"].encode(), key.encode("utf-8", "surrogatepass")):
        return "csrf: token mismatch"
    if check is not None and not check(content["d"]):
        return "csrf: failed check"
    return None


def validate_token(request: Any, check: Callable[[Any], Any] | None = None) -> bool:
    """Tell whether the token of a request is right; the arguments are those of ``token_problem``.

    Raises:
        MisuseError: the app has no secret.

    Example::

        csrf.validate_token(self)  # -> False
    """
    return token_problem(request, check) is None


def assert_token(request: Any, check: Callable[[Any], Any] | None = None) -> None:
    """Stop the action with an error unless the token of the request is right.

    Raises:
        MisuseError: the app has no secret.
        YieldedError: the token is missing or wrong; for ``capture_errors``.

    Example::

        csrf.assert_token(self)  # -> None
    """
    problem = token_problem(request, check)
    if problem is not None:
        yield_error(problem)
