"""The page that Prometheus reads: all of a registry, or of several processes, in text or as OpenMetrics."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics import exposition as openmetrics

from asgi_express._negotiation import media_types
from asgi_express.middleware._respond import respond
from asgi_express.types import Receive, Scope, Send

__all__ = ["Page"]

_TEXT, _OPEN = "text/plain", "application/openmetrics-text"
_TYPES = {
    _TEXT: b"text/plain; version=0.0.4; charset=utf-8",
    _OPEN: b"application/openmetrics-text; version=1.0.0; charset=utf-8",
}

# There is one version of each, which the answer tells.
_PARAMETERS = re.compile(r";[ \t]*(?:version|escaping|charset)=[^;,]*", re.IGNORECASE)

# RFC 6750 section 2.1: b64token.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class Page:
    """An ASGI app that answers with the metrics of a registry.

    Args:
        registry: which; by default the one of ``prometheus_client``.
        token: what clients must send as ``Authorization: Bearer …``; ``None`` lets everybody read.

    Raises:
        ValueError: the token cannot be sent, or the directory of ``PROMETHEUS_MULTIPROC_DIR`` is not there.
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, token: str | None = None) -> None:
        if token is not None and (not isinstance(token, str) or not _TOKEN.fullmatch(token)):
            # not shown: it is a secret
            msg = "Metrics: token must be text of letters, digits and -._~+/ that is not empty"
            raise ValueError(msg)
        self._registry = REGISTRY if registry is None else registry
        self._token = None if token is None else token.encode("ascii")
        given = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._directory = None if given is None else Path(given)
        if self._directory is not None and not self._directory.is_dir():
            msg = f"Metrics: PROMETHEUS_MULTIPROC_DIR is {given!r}, which is no directory: make it first"
            raise ValueError(msg)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await respond(scope, send, 404)
        elif scope["method"] not in ("GET", "HEAD"):
            await respond(scope, send, 405, [(b"allow", b"GET, HEAD")])
        elif not self._may_read(scope):
            await respond(scope, send, 401, [(b"www-authenticate", b'Bearer realm="metrics"')])
        else:
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
            kind = next(iter(media_types(_PARAMETERS.sub("", accept) or None, tuple(_TYPES))), _TEXT)
            # Thousands of series take a while to write.
            body = await asyncio.to_thread(self._write, kind)
            headers = [(b"content-type", _TYPES[kind]), (b"cache-control", b"no-store"), (b"vary", b"Accept")]
            await respond(scope, send, 200, headers, body)

    def _may_read(self, scope: Scope) -> bool:
        if self._token is None:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token, self._token)

    def _write(self, kind: str) -> bytes:
        registry = self._registry
        if self._directory is not None:
            _forget_the_dead(self._directory)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=str(self._directory))  # type: ignore[no-untyped-call] # it has no annotations
        write: Callable[[CollectorRegistry], bytes] = openmetrics.generate_latest if kind == _OPEN else generate_latest
        return write(registry)


def _forget_the_dead(directory: Path) -> None:
    """Remove what processes that are gone have left in gauges: a worker that was killed tells nobody."""
    for path in directory.glob("gauge_live*.db"):
        pid = path.stem.rpartition("_")[2]
        # On Windows, signal 0 would end the process.
        if os.name != "nt" and pid.isdecimal() and not _lives(int(pid)):
            with suppress(FileNotFoundError):  # another worker is asked at the same time
                path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:  # somebody else's may not be asked, but lives
        return not isinstance(error, ProcessLookupError)
    return True
