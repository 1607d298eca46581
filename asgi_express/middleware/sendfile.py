"""Files that an app names in a header: it decides who may have them, and this sends them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from asgi_express import _mime, _sendfile, _urls
from asgi_express._flags import check_flags
from asgi_express._scope import next_app
from asgi_express._sendfile import FileOptions, Found, Headers, IsDirectory, Missing
from asgi_express.errors import HTTPError
from asgi_express.middleware._respond import drop, respond
from asgi_express.types import ASGIApp, Directory, Message, Receive, Scope, Send

__all__ = ["Sendfile"]

_log = logging.getLogger("asgi_express.sendfile")

_PATH = b"x-sendfile"
_NAME = b"x-file-name"

# What spoke of the body that is dropped. An ETag too: frameworks make it of the body, which is empty for every file.
_DROPPED = frozenset(
    {
        *(b"accept-ranges", b"content-encoding", b"content-length", b"content-md5", b"content-range", b"etag"),
        *(b"content-digest", b"digest", b"repr-digest", b"trailer", b"transfer-encoding"),
    }
)

# RFC 9110 section 13.1: conditions are about an answer that would be a success, to GET or HEAD.
_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range")


class Sendfile:
    """Send the file that the app names in ``X-Sendfile``, in the place of the body that the app sends.

    The app decides who may have a file, and answers with headers alone. Reads ``X-Sendfile``, the path of a file in the
    directory, and ``X-File-Name``, the name to save it under, of the answer; and of the request ``Range`` and the
    conditions. Neither header reaches the client. Nothing that a client sends can name a file.

    - The path is percent-encoded, as nginx and Apache read it: ``quote(name)``. It begins at the directory, with or
      without a slash.
    - The headers of the app stay, those apart that spoke of its body (``Content-Length``, ``Content-Encoding``,
      ``ETag``, digests). Its ``Content-Type`` stays if it set one, as in nginx; else the extension of the file decides,
      or that of ``X-File-Name``. Without ``Cache-Control`` the answer says ``private, no-cache``.
    - With the status 200, to GET and HEAD, conditions and ranges are answered: 206, 304, 412, 416. With another status
      the file is sent whole, with that status; 204 and 304, which have no content, become 200.
    - What cannot be sent (no such file, ``..``, a segment that begins with a dot, a link that leads out, a directory,
      a file that may not be read) is 404, whatever the reason: a part of the path may be the client's, who must not
      learn what there is. The reason is in the log. Two ``X-Sendfile`` at once, and errors of the disk, are 500.
    - The body of the app is dropped. Cookies and other headers of it go out with the file only.

    Args:
        app: the app to wrap; inside a router, the rest of the stack.
        fs: the directory; nothing outside of it is ever sent.
        follow_symlinks: whether links may lead out of it.
        on_missing: an ASGI app that answers in the place of the 404.

    Raises:
        ValueError: an option cannot be.

    Examples::

        app.use(Sendfile(fs="reports"))

        app.use(Sendfile(fs="/srv/reports", follow_symlinks=True, on_missing=not_here))
    """

    def __init__(
        self,
        app: ASGIApp = next_app,
        *,
        fs: Directory,
        follow_symlinks: bool = False,
        on_missing: ASGIApp | None = None,
    ) -> None:
        if not isinstance(fs, str | os.PathLike) or not os.path.isdir(fs):
            msg = f"Sendfile: fs must be the path of a directory that is there, not {fs!r}"
            raise ValueError(msg)
        check_flags("Sendfile", follow_symlinks=follow_symlinks)
        if on_missing is not None and not callable(on_missing):
            msg = f"Sendfile: on_missing must be an ASGI app, not {on_missing!r}"
            raise ValueError(msg)
        options = _sendfile.file_options(fs, follow_symlinks=follow_symlinks, index=False)
        self.app = app
        self._options = replace(options, cache_control="private, no-cache")
        self._on_missing = _missing if on_missing is None else on_missing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and send the file that it names."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answered = False

        async def replaced(message: Message) -> None:
            nonlocal answered
            if answered:
                await drop(message)  # the body of the app
                return
            if message["type"] == "http.response.start" and "headers" in message:
                pairs = [(bytes(name), bytes(value)) for name, value in message["headers"]]
                paths = [value for name, value in pairs if name.lower() == _PATH]
                message = {**message, "headers": [pair for pair in pairs if pair[0].lower() not in (_PATH, _NAME)]}
                if paths:
                    answered = True
                    await self._answer(paths, pairs, message, scope, receive, send)
                    return
            await send(message)

        await self.app(scope, receive, replaced)

    async def _answer(
        self,
        paths: list[bytes],
        pairs: list[tuple[bytes, bytes]],
        start: Message,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Send the file, or say that there is none."""
        path = _text(paths[0])
        try:
            if len(paths) > 1:
                raise HTTPError(500, "the header is there twice")
            found = await _find(path, self._options)
        except (HTTPError, IsDirectory) as error:
            _log.error("%a: X-Sendfile %a cannot be sent: %s", scope["path"], path, _why(error))
            if isinstance(error, HTTPError) and error.status >= 500:
                await respond(scope, send, 500, _PLAIN, b"Internal Server Error\n")
            else:
                await self._on_missing(scope, receive, send)
            return
        try:
            await self._send(found, pairs, start, scope, send)
        finally:
            found.close()

    async def _send(
        self, found: Found, pairs: list[tuple[bytes, bytes]], start: Message, scope: Scope, send: Send
    ) -> None:
        names = [_text(value) for name, value in pairs if name.lower() == _NAME and value]
        headers = _kept(start["headers"])
        _call(headers, found.path, names[0].rpartition("/")[2] if names else "")
        status = 200 if start["status"] in (204, 304) else start["status"]
        is_conditional = status == 200 and scope["method"] in ("GET", "HEAD")
        get = partial(_asked, _requested(scope["headers"]) if is_conditional else {})
        try:
            status, pieces = _sendfile.describe(status, headers, get, found, self._options)
        except HTTPError as error:  # 412 and 416
            plain = [*_PLAIN, *((name.lower().encode(), value.encode()) for name, value in error.headers.items())]
            await respond(scope, send, error.status, plain, f"{error.message}\n".encode())
            return
        listed = [(name, each) for name, value in headers.items() for each in _each(value)]
        await send({"type": "http.response.start", "status": status, "headers": listed})
        remaining = 0 if scope["method"] == "HEAD" else _sendfile.length(pieces)
        if not remaining:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        async for chunk in _sendfile.chunks(found, pieces):
            remaining -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": remaining > 0})


async def _find(path: str, options: FileOptions) -> Found:
    """Find the file that a header names, in a worker thread."""
    target = _sendfile.locate(_sendfile.decode(path), options)
    return await _sendfile.in_thread(partial(_sendfile.find, target, options, (), _sendfile.SMALL))


def _why(error: HTTPError | IsDirectory) -> str:
    """Say to the operator what the client does not learn."""
    if isinstance(error, IsDirectory):
        return "it is a directory"
    if error.__cause__ is not None or error.status >= 500:
        return str(error.__cause__ or error)
    if isinstance(error, Missing) and not error.refused:
        return "it is no file inside of the directory"
    return "a path has no segment that begins with a dot, no hidden separator, no NUL and no broken escape"


def _text(value: bytes) -> str:
    """Read a header value: UTF-8, which some frameworks write, or else Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _kept(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of the app that stay, by name."""
    headers: dict[bytes, Any] = {}
    for name, value in pairs:
        lower = name.lower()
        if lower not in _DROPPED:
            headers.setdefault(lower, []).append(value)
    return headers


def _call(headers: Headers, path: str, name: str) -> None:
    """Set what depends on the names of the file, and on the one to save it under."""
    if name:
        headers[b"content-disposition"] = _urls.content_disposition(_decoded(name)).encode("latin-1")
    if b"content-type" not in headers:
        media_type = _mime.content_type(_sendfile.extension(path)) or _mime.content_type(_sendfile.extension(name))
        if media_type:
            headers[b"content-type"] = media_type.encode()


def _decoded(name: str) -> str:
    """Percent-decode a name to save under; one that is not encoded stays as it is."""
    try:
        return _sendfile.decode(name)
    except HTTPError:
        return name


def _requested(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.decode("latin-1").lower()
        if key in _CONDITIONS or key == "cache-control":
            text = value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _asked(requested: dict[str, str], name: str) -> str | None:
    return requested.get(name.lower())


def _each(value: bytes | list[bytes]) -> list[bytes]:
    return value if isinstance(value, list) else [value]


_PLAIN = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]


async def _missing(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(scope, send, 404, _PLAIN, b"Not Found\n")
