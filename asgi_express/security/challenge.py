"""Challenges: what an answer says that refuses a request for its token (RFC 6750, RFC 9728)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Challenge"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_TEXT = re.compile(r"[ !#-\[\]-~]*\Z")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What to answer a request that is refused.

    Attributes:
        scheme: of authentication.
        realm: what is protected, for people to read.
        error: ``"invalid_request"`` (400: more than one token), ``"invalid_token"`` (401), ``"insufficient_scope"``
            (403), ``"unavailable"`` (503: tokens cannot be checked now), or ``None`` where there was no token (401).
        resource_metadata: the URL of the metadata of RFC 9728.

    Raises:
        ValueError: a text has characters that it may not have in a header.

    Example::

        challenge = Challenge(realm="articles", error="invalid_token")
        challenge.headers  # -> [(b"www-authenticate", b'Bearer realm="articles", error="invalid_token"')]
    """

    scheme: str = "Bearer"
    realm: str | None = None
    error: Literal["invalid_request", "invalid_token", "insufficient_scope", "unavailable"] | None = None
    resource_metadata: str | None = None

    def __post_init__(self) -> None:
        if not _TOKEN.match(self.scheme):
            msg = f"Challenge: scheme must be a token, not {self.scheme!r}"
            raise ValueError(msg)
        for option in ("realm", "resource_metadata"):
            text = getattr(self, option)
            if text is not None and not _TEXT.match(text):
                msg = f"Challenge: {option} must be ASCII text without quotes and backslashes, not {text!r}"
                raise ValueError(msg)

    @property
    def status(self) -> int:
        """The status of the answer.

        Example: ``Challenge(error="insufficient_scope").status`` is ``403``.
        """
        return {"invalid_request": 400, "insufficient_scope": 403, "unavailable": 503}.get(self.error or "", 401)

    def because(
        self, error: Literal["invalid_request", "invalid_token", "insufficient_scope", "unavailable"]
    ) -> Challenge:
        """Return the challenge for a reason.

        Example: ``Challenge().because("unavailable").status`` is ``503``.
        """
        return replace(self, error=error)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the answer: ``WWW-Authenticate``; with ``"unavailable"`` ``Retry-After`` instead.

        Example: ``Challenge().headers`` is ``[(b"www-authenticate", b"Bearer")]``.
        """
        if self.error == "unavailable":
            return [(b"retry-after", b"1")]
        given = (("realm", self.realm), ("error", self.error), ("resource_metadata", self.resource_metadata))
        parameters = ", ".join(f'{name}="{text}"' for name, text in given if text is not None)
        return [(b"www-authenticate", f"{self.scheme} {parameters}".rstrip().encode("ascii"))]
