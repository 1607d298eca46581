"""Compression: answers as zstd, br, gzip or deflate, whatever the client likes best."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from asgi_express._memo import Memo
from asgi_express._scope import next_app
from asgi_express._units import parse_bytes
from asgi_express.errors import MisuseError
from asgi_express.middleware._compress_cache import Cache
from asgi_express.middleware._compress_rules import (
    COMPRESSIBLE,
    Choice,
    Found,
    Pairs,
    Request,
    chooser,
    coded_headers,
    compressible,
    examine,
    plain_accept,
    read_request,
    varied,
    with_sent_tag,
)
from asgi_express.middleware._compress_threads import in_thread
from asgi_express.middleware._encoders import CODINGS, Coding, Encoder, codings, encode, installed
from asgi_express.middleware._turn import Turn
from asgi_express.types import ASGIApp, Message, Receive, Scope, Send, Size

__all__ = ["COMPRESSIBLE", "Compress"]

# Bytes that are hashed on the event loop: 1 ms.
_MAX_HASHED = 1024 * 1024

# Values of Accept-Encoding that are remembered, and the bytes of the longest.
_KEPT, _MAX_KEPT = 256, 256

# Bytes of padding: more would cost more than compression saves.
_MAX_PADDING = 4096

# Where an answer is.
_AHEAD: Final = 0  # nothing has come
_HELD: Final = 1  # the start waits for the first piece of the body
_CODED: Final = 2  # a stream is being compressed
_PLAIN: Final = 3  # whatever comes passes as it is
_BROKEN: Final = 4  # a stream that was not finished, and cannot be


class Compress:
    """Compress what becomes smaller by it, for clients that accept it.

    Reads ``Accept-Encoding``, ``Cache-Control``, ``If-None-Match`` and ``If-Match``. Writes ``Content-Encoding``,
    ``ETag`` and ``Content-Length``, takes ``Accept-Ranges`` away, and adds ``Vary: Accept-Encoding`` to every answer.

    - Of what the client likes best, the first of ``encodings`` is taken; ``q=0`` means never. A client that accepts
      nothing that we have, not even the plain body, gets the plain body: never a 406.
    - Every message of a stream is flushed, so that its client has it at once. Events (``text/event-stream``) pass as
      they are, unless ``types`` names them.
    - The plain body is sent where it would not become smaller; of a stream that cannot be known.
    - Left alone: answers to ``HEAD``; 204, 205, 206 and 304; what has ``Content-Encoding`` (``identity`` is how an app
      says no), ``Content-Range``, a digest of its bytes, or ``Cache-Control: no-transform``, in the request as well;
      files that are handed to the server (``http.response.pathsend``); WebSockets.
    - ``"abc"`` becomes ``"abc-gzip"``, for each coding is an answer of its own to a cache. In the conditions of a
      request it is turned back, so that the app finds its own tag and can say 304.
    - Large pieces are compressed in threads, small ones on the event loop, which is held for a few milliseconds at
      most. ``docs/middleware/compress.md`` has the sizes, and the memory that a stream takes.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        encodings: which codings, the best first: ``"zstd"``, ``"br"``, ``"gzip"``, ``"deflate"``. ``None`` for those,
            in this order, whose library is installed; gzip and deflate always are.
        level: ``"fastest"``, ``"default"`` or ``"best"``.
        levels: a level of its own for a coding: zstd 1 to 19, br 0 to 11, gzip and deflate 1 to 9. Above 9, zstd takes
            40 MiB and more for each stream.
        min_length: bytes; a shorter body is left alone. So is a stream that says so in its ``Content-Length``.
        types: what is compressed: types as for ``req.is_``. Instead of the default, not beside it: to have one more,
            ``[*COMPRESSIBLE, "application/x-mine"]``.
        breach_padding: bytes; up to so many, at random, are added to each answer, so that its length says less about
            a secret in it that stands beside what an attacker has put there (BREACH). It makes the attack longer, not
            impossible: such secrets are better masked, or not compressed. Tags become weak.
        cache_bytes: bytes for a memory of what bodies were compressed to, for files and pages that stay the same.
            What is ``private``, ``no-store`` or comes with ``Set-Cookie`` is not kept.

    Raises:
        ImportError: the library of one of ``encodings`` is not installed.
        TypeError: a size is of a wrong type.
        ValueError: an option is out of range, or ``breach_padding`` and ``cache_bytes`` meet: what is kept would always
            have the same length. While answering (``MisuseError``): a file was handed to the server in the middle of
            a body that is being compressed.

    Examples::

        app.use(Compress())

        app.use(
            Compress(
                encodings=["br", "gzip"],
                levels={"br": 5},
                min_length="2kb",
                types=["text/*", "json", "text/event-stream"],
                cache_bytes="16mb",
            )
        )
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        encodings: Sequence[str] | None = None,
        level: Literal["fastest", "default", "best"] = "default",
        levels: Mapping[str, int] | None = None,
        min_length: Size = 1024,
        types: Sequence[str] = COMPRESSIBLE,
        breach_padding: Size = 0,
        cache_bytes: Size = 0,
    ) -> None:
        self.app = app
        names = installed() if encodings is None else _checked(encodings)
        self._codings = codings(names, level, levels)
        self._names = names
        self._choose = chooser(names)
        self._asked: Memo[bytes, tuple[Request, Choice]] = Memo(_KEPT)
        self._min_length = parse_bytes(min_length)
        self._is_compressible = compressible(types)
        self._padding = parse_bytes(breach_padding)
        if self._padding > _MAX_PADDING:
            msg = f"Compress: breach_padding must be {_MAX_PADDING} bytes or less, not {breach_padding!r}"
            raise ValueError(msg)
        size = parse_bytes(cache_bytes)
        if size and self._padding:
            msg = "Compress: with cache_bytes an answer always has the same length: breach_padding needs it to be 0"
            raise ValueError(msg)
        self._cache = Cache(size) if size else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app and compress its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        accept = plain_accept(scope["headers"])
        request, choice = (
            self._read(scope["headers"]) if accept is None else self._asked.get(accept) or self._remember(accept)
        )
        is_wanted = choice.coding is not None and not request.no_transform and scope["method"] != "HEAD"
        if not is_wanted and request.headers is None and not request.tags:
            await self.app(scope, receive, _varying(send))
            return
        answer = _Answer(self, request, choice, send, is_wanted=is_wanted)
        if request.headers is None:
            await self.app(scope, receive, answer.send)
        else:
            inner = {**scope, "headers": request.headers}
            try:
                await self.app(inner, receive, answer.send)
            finally:
                # What an app leaves in its scope, such as the route, is looked for in ours.
                scope.update((key, value) for key, value in inner.items() if key != "headers")
        if answer.is_held:
            await answer.release()

    def _read(self, headers: Pairs) -> tuple[Request, Choice]:
        request = read_request(headers, self._names)
        return request, self._choose(request.accept_encoding)

    def _remember(self, accept: bytes) -> tuple[Request, Choice]:
        read = self._read([(b"accept-encoding", accept)])
        return self._asked.keep(accept, read) if len(accept) <= _MAX_KEPT else read


def _varying(send: Send) -> Send:
    """Return a ``send`` for an answer that nobody compresses: it varies by what is accepted all the same."""

    async def send_varied(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": varied(message.get("headers", ()))}
        await send(message)

    return send_varied


class _Answer:
    """One answer on its way out."""

    __slots__ = (
        "_choice",
        "_coding",
        "_encoder",
        "_found",
        "_options",
        "_request",
        "_send",
        "_stage",
        "_start",
        "_turn",
    )

    _found: Found
    _start: Message

    def __init__(self, options: Compress, request: Request, choice: Choice, send: Send, *, is_wanted: bool) -> None:
        self._options = options
        self._request = request
        self._choice = choice
        self._coding = options._codings[choice.coding] if is_wanted and choice.coding else None
        self._send = send
        self._stage = _AHEAD
        self._encoder: Encoder | None = None
        self._turn: Turn | None = None

    async def send(self, message: Message) -> None:
        """Take a message of the app."""
        kind, stage = message["type"], self._stage
        if stage == _AHEAD and kind == "http.response.start":
            start = self._begin(message)
            if start is not None:
                await self._send(start)
        elif stage in (_AHEAD, _PLAIN):
            await self._send(message)
        elif kind == "http.response.body":
            answer = self._at_once(message) if stage == _HELD and self._turn is None else None
            if answer is None:
                await self._take_in_turn(message)
            else:
                await self._send(answer[0])
                await self._send(answer[1])
        elif stage == _HELD:
            await self.release()
            await self._send(message)
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            msg = f"Compress: {kind} in the middle of a compressed body; Content-Encoding: identity leaves it alone"
            raise MisuseError(msg)
        else:
            await self._send(message)

    async def _take_in_turn(self, message: Message) -> None:
        """Take a piece. An app may send from several tasks; while one is in a thread, the next one has to wait."""
        turn = self._turn = self._turn or Turn()
        if turn.is_taken:
            await turn.wait()
        turn.is_taken = True
        try:
            await (self._piece(message) if self._stage == _CODED else self._take(message))
        except BaseException:  # of the encoder, of a client that has left, or cancelled
            if self._stage == _CODED:
                self._encoder, self._stage = None, _BROKEN
            raise
        finally:
            turn.leave()

    @property
    def is_held(self) -> bool:
        """Whether the start of the answer still waits for its body."""
        return self._stage == _HELD

    async def release(self) -> None:
        """Send the start as it came; where the body never does, the server has something to say about that."""
        await self._send(self._started(self._found.headers, _PLAIN))

    def _begin(self, message: Message) -> Message | None:
        """Take the start; return it where it need not wait for the body."""
        self._start = message
        headers = message.get("headers", ())
        options = self._options
        if self._coding is not None:
            found = self._found = examine(message["status"], headers)
            is_short = found.length is not None and self._is_too_short(found.length)
            if not found.is_fixed and not is_short and options._is_compressible(found.content_type):
                self._stage = _HELD
                return None
        headers = varied(headers)
        if message["status"] == 304 and self._request.tags:
            sent, names = self._request.tags, options._names
            headers = with_sent_tag(headers, sent, names, self._choice.coding, exact=not options._padding)
        return self._started(headers, _PLAIN)

    def _is_too_short(self, length: int) -> bool:
        return length < self._options._min_length and not self._choice.is_needed

    def _started(self, headers: Pairs, stage: int) -> Message:
        """Go on to a stage; return the start with which it begins."""
        self._stage = stage
        return {**self._start, "headers": headers}

    async def _take(self, message: Message) -> None:
        """Take what is no piece of a stream under way; what it is may have changed while it waited."""
        if self._stage == _HELD:
            await self._first(message)
        elif self._stage == _BROKEN:
            # For an app that goes on after its client has left: nothing to decode, and no end that looks like one.
            await self._send({**message, "body": b"", "more_body": True})
        else:
            await self._send(message)

    async def _first(self, message: Message) -> None:
        body: bytes = message.get("body", b"")
        if not self._is_whole(message):
            self._encoder = self._made.encoder(None, self._draw())
            await self._send(self._started(self._headers(None), _CODED))
            await self._piece(message)
            return
        coded = b""
        if body and not self._is_too_short(len(body)):
            coded = await self._whole(body)
        start, message = self._finished(message, coded)
        await self._send(start)
        await self._send(message)

    def _is_whole(self, message: Message) -> bool:
        # BaseHTTPMiddleware of Starlette, for one, announces more after all that there is.
        return not message.get("more_body", False) or self._found.length == len(message.get("body", b""))

    def _at_once(self, message: Message) -> tuple[Message, Message] | None:
        """Return the whole answer if there is nothing to wait for, as for most: no lock and no thread."""
        body: bytes = message.get("body", b"")
        size, coding, options = len(body), self._made, self._options
        if size > coding.inline or options._cache is not None or not self._is_whole(message):
            return None
        if not size or self._is_too_short(size):
            return self._finished(message, b"")
        if options._padding:
            return self._finished(message, coding.encoder(size, self._draw()).finish(body))
        return self._finished(message, coding.whole(body))

    def _finished(self, message: Message, coded: bytes) -> tuple[Message, Message]:
        """Return the start and the whole body, coded if that is of use."""
        if not coded or (len(coded) >= len(message["body"]) and not self._choice.is_needed):
            return self._started(self._found.headers, _PLAIN), message
        # With trailers HTTP/1.1 needs chunks, so no length.
        length = None if self._start.get("trailers", False) else len(coded)
        return self._started(self._headers(length), _PLAIN), {**message, "body": coded}

    async def _whole(self, body: bytes) -> bytes:
        coding = self._made
        cache = None if self._found.is_private else self._options._cache
        key = None
        if cache is not None:
            key = (
                cache.key(coding.name, body)
                if len(body) <= _MAX_HASHED
                else await in_thread(lambda _: Cache.key(coding.name, body))
            )
            kept = cache.get(key)
            if kept is not None:
                return kept
        padding = self._draw()
        if len(body) <= coding.inline:
            coded = encode(coding.encoder(len(body), padding), body, last=True)
        else:
            coded = await in_thread(lambda work: encode(coding.encoder(len(body), padding), body, last=True, work=work))
        if cache is not None and key is not None and len(coded) < len(body):
            cache.put(key, coded)
        return coded

    async def _piece(self, message: Message) -> None:
        body: bytes = message.get("body", b"")
        is_last = not message.get("more_body", False)
        encoder = self._encoder
        assert encoder is not None  # noqa: S101 - there is one while a stream is being compressed
        if len(body) > self._made.inline_piece:
            coded = await in_thread(lambda work: encode(encoder, body, last=is_last, work=work))
        elif is_last:
            coded = encoder.finish(body)
        else:
            coded = encoder.flush(body) if body else b""
        if is_last:
            self._encoder, self._stage = None, _PLAIN
        await self._send({**message, "body": coded})

    @property
    def _made(self) -> Coding:
        """What the body is made into."""
        assert self._coding is not None  # noqa: S101 - nothing is held or compressed without one
        return self._coding

    def _headers(self, length: int | None) -> Pairs:
        return coded_headers(self._found.headers, self._made.name, length, exact=not self._options._padding)

    def _draw(self) -> int:
        """Return how many bytes of padding this answer gets."""
        most = self._options._padding
        return secrets.randbelow(most) + 1 if most else 0


def _checked(encodings: Sequence[str]) -> tuple[str, ...]:
    names = tuple(encodings)
    known = ", ".join(map(repr, CODINGS))
    if isinstance(encodings, str) or not names or len({*names}) != len(names) or not {*names} <= {*CODINGS}:
        msg = f"Compress: encodings must be a list of some of {known}, each once, not {encodings!r}"
        raise ValueError(msg)
    return names
