"""What will be answered, in the words of Wippy."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from asgi_express import _json
from asgi_express.response import Response as ExpressResponse
from asgi_express.sse import Event

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Response"]

_TRANSFERS = ("chunked", "sse")
_TEXT = "text/plain; charset=utf-8"


class Response:
    """What will be answered; made by :func:`response`.

    Everything waits until the handler returns, or until something is awaited: ``await res.flush()``, or
    ``await res.write(...)`` at once.

    Example::

        res = http.response()
        res.set_status(201)
        res.set_header("Location", "/users/7")
        res.write_json({"id": 7})
    """

    __slots__ = ("_pieces", "_res", "_streams")

    def __init__(self, res: ExpressResponse) -> None:
        self._res = res
        self._pieces: list[bytes] = []
        self._streams = False

    def set_status(self, code: int) -> Self:
        """Set the status; 200 if nobody does.

        Example: ``res.set_status(404)``
        """
        self._res.status(code)
        return self

    status = set_status

    def set_header(self, name: str, value: str) -> Self:
        """Set a header.

        Example: ``res.set_header("Cache-Control", "no-store")``
        """
        self._res.set(name, value)
        return self

    def set_content_type(self, kind: str) -> Self:
        """Set the type of the body; plain text if nobody does.

        Example: ``res.set_content_type("text/html")``
        """
        self._res.set("Content-Type", kind)
        return self

    def write(self, piece: str | bytes) -> Self:
        """Add to the body.

        Raises:
            TypeError: it is neither text nor bytes.

        Example: ``res.write("hello")``
        """
        if not isinstance(piece, str | bytes | bytearray | memoryview):
            msg = f"res.write: expected text or bytes, got {piece!r}; write_json takes the rest"
            raise TypeError(msg)
        self._pieces.append(piece.encode("utf-8", "replace") if isinstance(piece, str) else bytes(piece))
        return self

    def write_json(self, value: Any) -> Self:
        """Add JSON to the body, and say that it is JSON.

        Raises:
            TypeError: a value has no JSON form.

        Example: ``res.write_json({"id": 7})``
        """
        if self._res.get("Content-Type") is None:
            self._res.set("Content-Type", "application/json; charset=utf-8")
        return self.write(_json.dumps(value))

    def write_event(self, event: Mapping[str, Any]) -> Self:
        """Add a server-sent event.

        Args:
            event: its ``data``, and its ``name`` if it has one.

        Raises:
            ValueError: it has something else, or a name that cannot be sent.

        Example: ``await res.write_event({"name": "price", "data": {"value": 42}})``
        """
        unknown = sorted({*event} - {"name", "data", "id"})
        if unknown:
            msg = f"res.write_event: an event has name, data and id, not {', '.join(unknown)}"
            raise ValueError(msg)
        if not self._streams:
            self.set_transfer("sse")
        return self.write(str(Event(event.get("data"), event=event.get("name"), id=event.get("id"))))

    def set_transfer(self, kind: str) -> Self:
        """Send the body in pieces: ``"chunked"``, or ``"sse"`` for server-sent events.

        Raises:
            ValueError: it is something else.

        Example: ``res.set_transfer("chunked")``
        """
        if kind not in _TRANSFERS:
            msg = f"res.set_transfer: expected 'chunked' or 'sse', not {kind!r}"
            raise ValueError(msg)
        self._streams = True
        if kind == "sse":
            self._res.set(
                {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform"}
            )
        return self

    async def flush(self) -> None:
        """Send what there is now, and wait until the server took it.

        Raises:
            ClientDisconnect: the client has gone.

        Example: ``await res.flush()``
        """
        await self._move()

    def __await__(self) -> Generator[Any, None, None]:
        return self.flush().__await__()

    def _move(self) -> ExpressResponse:
        if not self._res.headers_sent and self._res.get("Content-Type") is None:
            self._res.set("Content-Type", _TEXT)
        pieces = b"".join(self._pieces)
        self._pieces.clear()
        return self._res.write(pieces)

    def _finish(self) -> None:
        """Decide the rest of the answer, when the handler has returned."""
        if self._streams or self._res.headers_sent:
            self._move().end()
            return
        body = b"".join(self._pieces)
        if body and self._res.get("Content-Type") is None:
            self._res.set("Content-Type", _TEXT)
        self._res.end(body)
