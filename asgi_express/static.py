"""A directory of files as a handler: ``serve-static`` 2.2, which is ``express.static``."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from asgi_express import _negotiation, _sendfile
from asgi_express._sendfile import FileOptions, IsDirectory, Missing, Target
from asgi_express._sendfile.files import Found
from asgi_express._sendfile.options import DotFiles, Names
from asgi_express._sendfile.paths import extension
from asgi_express._urls import encode_url, escape_html
from asgi_express.errors import HTTPError, NotFound
from asgi_express.request import Request
from asgi_express.response import Response
from asgi_express.types import Duration, Next

__all__ = ["static"]

_AUTHORITY = re.compile(r"[^/?#]*://[^/?#]*")

SetHeaders: TypeAlias = Callable[[Response, str, os.stat_result], Any]
Handler: TypeAlias = Callable[[Request, Response, Next], Awaitable[None]]


def static(
    root: str | os.PathLike[str],
    *,
    accept_ranges: bool = True,
    cache_control: bool = True,
    dotfiles: DotFiles = "ignore",
    end: int | None = None,
    etag: bool = True,
    extensions: Names = (),
    fallthrough: bool = True,
    follow_symlinks: bool = False,
    immutable: bool = False,
    index: Names = "index.html",
    last_modified: bool = True,
    max_age: Duration = 0,
    multipart_ranges: bool = False,
    precompressed: bool | Sequence[str] = False,
    redirect: bool = True,
    set_headers: SetHeaders | None = None,
    spa: str | None = None,
    start: int = 0,
) -> Handler:
    """Return a handler that answers GET and HEAD with the files of a directory.

    Example::

        app.use("/assets", static("public", max_age="1y", immutable=True, precompressed=True))
        app.use(static("dist", spa="index.html"))

    Refused, whatever stands on the disk, are paths with a segment ``..`` (403), with ``%2F``, a backslash or, on
    Windows, the name of a device (404), with a NUL or a broken escape (400); of what is on the disk, links that lead
    out of the root and everything that is neither a file nor a directory (404), and files that the process may not
    read (403). With ``fallthrough`` all of these go to the next handler.

    Args:
        root: the directory. A relative one is resolved now.
        accept_ranges: whether to serve ranges, one per request.
        cache_control: whether to send ``Cache-Control``.
        dotfiles: what to do where a segment begins with a dot: ``"ignore"`` (404), ``"deny"`` (403), ``"allow"``.
        end: the last byte of each file to serve; ``None`` for its end.
        etag: whether to send a weak ``ETag``, made of size and time.
        extensions: extensions to try, without a dot, where there is no such file and the name has none.
        fallthrough: whether the next handler runs where no file can be sent and for other methods; else these are
            errors, and 405.
        follow_symlinks: whether links may lead out of the root.
        immutable: whether ``Cache-Control`` says so.
        index: the file, or files, to send for a directory; ``False`` for none.
        last_modified: whether to send ``Last-Modified``.
        max_age: of ``Cache-Control``, in seconds, or text such as ``"1d"``; at most a year, which ``math.inf`` is.
        multipart_ranges: whether to answer several ranges with ``multipart/byteranges``, as Express does not.
        precompressed: whether to send ``file.br``, ``file.zst`` or ``file.gz`` from beside the file to clients that
            take it; or a list of those to look for, the preferred one first.
        redirect: whether a directory without a slash at the end is redirected to one with it.
        set_headers: called as ``set_headers(res, path, stat)`` before a file is sent, to set headers; may be ``async``.
            With ``precompressed``, the path is that of the plain file, and the stat that of what is sent.
        spa: a file under the root that answers navigations (``Accept`` names ``text/html``, the last segment has no
            extension) to what does not exist. It is sent with a ``max_age`` of 0.
        start: the first byte of each file to serve.

    Raises:
        TypeError: ``root`` is missing, or an option is of the wrong type.
        ValueError: an option has a value that it cannot have.
    """
    if not root:
        msg = "static: root path required"
        raise TypeError(msg)
    if set_headers is not None and not callable(set_headers):
        msg = f"static: option set_headers must be a function, not {set_headers!r}"
        raise TypeError(msg)
    options = _sendfile.file_options(
        root,
        accept_ranges=accept_ranges,
        cache_control=cache_control,
        dotfiles=dotfiles,
        end=end,
        etag=etag,
        extensions=extensions,
        follow_symlinks=follow_symlinks,
        immutable=immutable,
        index=index,
        last_modified=last_modified,
        max_age=max_age,
        multipart_ranges=multipart_ranges,
        precompressed=precompressed,
        start=start,
    )
    shell = None if spa is None else _Shell.of(spa, options)
    return _Static(options, fallthrough, redirect, set_headers, shell).static_files


@dataclass(frozen=True, slots=True)
class _Shell:
    """The page of an application whose addresses are made in the browser."""

    target: Target
    options: FileOptions

    @classmethod
    def of(cls, spa: str, options: FileOptions) -> _Shell:
        """Locate it. It must be asked for every time, or an old one would name files that are gone."""
        fresh = None if options.cache_control is None else "public, max-age=0"
        options = replace(options, cache_control=fresh, dotfiles="allow")
        try:
            return cls(_sendfile.locate(spa, options), options)
        except HTTPError:
            msg = f"static: spa option must be the path of a file under the root, not {spa!r}"
            raise ValueError(msg) from None

    def is_for(self, req: Request, path: str) -> bool:
        """Tell whether a person goes there, rather than a script or a page that wants a part of itself."""
        accept = (req.get("Accept") or "").lower()
        return "text/html" in accept and bool(_negotiation.accepts(accept, ("text/html",))) and not extension(path)


@dataclass(frozen=True, slots=True)
class _Static:
    options: FileOptions
    fallthrough: bool
    redirect: bool
    set_headers: SetHeaders | None
    shell: _Shell | None

    async def static_files(self, req: Request, res: Response, next: Next) -> None:
        """Answer with a file, or go on."""
        if req.method not in ("GET", "HEAD"):
            if self.fallthrough:
                next()
            else:
                res.status(405).set("Allow", "GET, HEAD").set("Content-Length", 0).end()
            return
        try:
            found, options = await self.find(req)
        except IsDirectory:
            _redirect(req, res)
        except HTTPError as error:
            if not self.fallthrough or error.status >= 500:
                raise
            next()
        else:
            if options is not self.options:  # the page that stands for all others
                res.vary("Accept")
            await _sendfile.respond(res, found, options, self.set_headers)

    async def _foresee(self, req: Request) -> tuple[bool, str]:
        """Tell, for ``explain``, whether a request would be answered here, and why.

        Raises:
            HTTPError: it would be an error.
        """
        if req.method not in ("GET", "HEAD"):
            return not self.fallthrough, f"files are for GET and HEAD, not for {req.method}"
        try:
            found, options = await self.find(req)
        except IsDirectory:
            return True, "a directory: it redirects to the path with a slash at the end"
        except HTTPError as error:
            if not self.fallthrough or error.status >= 500:
                raise
            return False, "there is no such file" if error.status == 404 else str(error)
        found.close()
        name = found.sent.removeprefix(str(self.options.root)).lstrip(os.sep)
        return True, f"the file {name}" + ("" if options is self.options else ", for every page that is not there")

    async def find(self, req: Request) -> tuple[Found, FileOptions]:
        """Find a file for a request, and the options to send it with.

        Raises:
            IsDirectory: it is one, to redirect to.
            HTTPError: there is no such file, or it is not to be sent.
        """
        path = req.path
        # A request for the mount point itself is redirected there, or finds a root that is a file.
        if path == "/" and not _split(req.original_url)[0].endswith("/"):
            path = ""
        if req._selection is not None and req._selection.guard_missed():
            raise NotFound  # a middleware for this file, as the file system reads the path, did not see it
        try:
            path = _sendfile.decode(path)
            target = _sendfile.locate(path, self.options)
            return await _sendfile.look(req, target, self.options), self.options
        except IsDirectory:
            if self.redirect and not path.endswith("/"):
                raise
            missing = Missing()
        except Missing as error:
            missing = error
        shell = self.shell
        if shell is None or missing.refused or not shell.is_for(req, path):
            raise missing
        try:
            return await _sendfile.look(req, shell.target, shell.options), shell.options
        except IsDirectory:
            raise missing from None


_Static.static_files.__qualname__ = "static"  # what users wrote


def _split(url: str) -> tuple[str, str]:
    """Part a URL into path and query; the host of an absolute one, which the client chose, is dropped."""
    path, mark, query = _AUTHORITY.sub("", url).partition("#")[0].partition("?")
    return path or "/", mark + query


def _redirect(req: Request, res: Response) -> None:
    """Redirect to the same path with a slash at the end."""
    path, query = _split(req.original_url)
    # Browsers take what follows two slashes, or a slash and a backslash, for a host.
    location = "/" + encode_url(f"{path}/").lstrip("/").replace("\\", "%5C") + encode_url(query)
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Redirecting</title>\n</head>\n'
        f"<body>\n<pre>Redirecting to {escape_html(location)}</pre>\n</body>\n</html>\n"
    )
    content = page.encode()
    res.status(301).set("Content-Type", "text/html; charset=UTF-8").set("Content-Length", len(content))
    res.set("Content-Security-Policy", "default-src 'none'").set("X-Content-Type-Options", "nosniff")
    res.set("Location", location).end(content)
