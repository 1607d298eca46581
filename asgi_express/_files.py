"""The answers that are files: ``send_file``, ``download``, and ``attachment`` for what is saved as one."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from asgi_express import _urls
from asgi_express._heading import Heading
from asgi_express.types import Duration

if TYPE_CHECKING:
    from typing import Self, Unpack

    from asgi_express._sendfile.options import DotFiles, FileSettings, Names
    from asgi_express.response import Response

__all__ = ["Files"]


class Files(Heading):
    """The answers that are files."""

    __slots__ = ()

    def send_file(
        self,
        path: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] | None = None,
        max_age: Duration = 0,
        headers: Mapping[str, Any] | None = None,
        dotfiles: DotFiles = "ignore",
        etag: bool | None = None,
        last_modified: bool = True,
        accept_ranges: bool = True,
        cache_control: bool = True,
        immutable: bool = False,
        extensions: Names = (),
        index: Names = "index.html",
        start: int = 0,
        end: int | None = None,
        multipart_ranges: bool = False,
        precompressed: bool | Sequence[str] = False,
        follow_symlinks: bool = False,
    ) -> Self:
        """Answer with a file: type, length, validators, 304, 412, ranges. Nothing of it blocks the event loop.

        Example::

            res.send_file("report.pdf", root="/srv/reports", max_age="1d")

        Where there is no such file, error handlers get an ``HTTPError``: 404, or 400 and 403 for paths that are
        refused. ``await res.send_file(...)`` raises it in the handler instead. At a directory the walk goes on, as
        after ``next()``. A client that leaves early is no error.

        Args:
            path: an absolute path, or one relative to ``root``. It is not percent-decoded. A segment ``..`` is refused.
            root: the directory that the file has to be in, links included.
            max_age: of ``Cache-Control``, in seconds, or text such as ``"1d"``; at most a year.
            headers: headers for the case that the file is sent; they win over computed ones.
            dotfiles: what to do where a segment begins with a dot: ``"ignore"`` (404), ``"deny"`` (403), ``"allow"``.
            etag: whether to send ``ETag``; by default as the setting ``etag`` is on or off.
            last_modified: whether to send ``Last-Modified``.
            accept_ranges: whether to serve ranges.
            cache_control: whether to send ``Cache-Control``.
            immutable: whether ``Cache-Control`` says so.
            extensions: extensions to try, without a dot, where there is no such file and the name has none.
            index: the file, or files, to try where the path ends with a slash; ``False`` for none.
            start: the byte that the resource starts with, counted from 0.
            end: the last byte of the resource; ``None`` for the end of the file.
            multipart_ranges: whether to answer several ranges with ``multipart/byteranges``; else the whole is sent.
            precompressed: whether to send ``file.br``, ``file.zst`` or ``file.gz`` to clients that take it; or which.
            follow_symlinks: whether links may lead out of ``root``.

        Raises:
            HeadersSentError: the answer was decided before.
            TypeError: the path is missing, or relative without ``root``; an option is of the wrong type.
            ValueError: an option has a value that it cannot have.
        """
        from asgi_express import _sendfile

        where = _path(path, "send_file")
        if not root and not os.path.isabs(where):
            msg = f"res.send_file: path must be absolute, or root be given, got {where!r}"
            raise TypeError(msg)
        options = _sendfile.file_options(
            root or None,
            accept_ranges=accept_ranges,
            cache_control=cache_control,
            dotfiles=dotfiles,
            end=end,
            etag=bool(self._settings["etag"]) if etag is None else etag,
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
        return self._defer(partial(_sendfile.send_file, cast("Response", self), where, options, headers))

    def download(
        self,
        path: str | os.PathLike[str],
        filename: str | None = None,
        *,
        headers: Mapping[str, Any] | None = None,
        root: str | os.PathLike[str] | None = None,
        **options: Unpack[FileSettings],
    ) -> Self:
        """Answer with a file that the browser is to save.

        Example::

            res.download("/srv/reports/2026-03.pdf", "march.pdf")

        Args:
            path: as for ``send_file``; without ``root``, relative to the working directory.
            filename: the name to offer; that of the file by default.
            headers: as for ``send_file``; a ``Content-Disposition`` among them is dropped.
            root: as for ``send_file``.
            **options: the other options of ``send_file``.

        Raises:
            HeadersSentError: the answer was decided before.
            TypeError: the path is missing; an option is of the wrong type.
            ValueError: an option has a value that it cannot have.
        """
        where = _path(path, "download")
        disposition = _urls.content_disposition(_base(filename or where))
        others = {name: value for name, value in (headers or {}).items() if name.lower() != "content-disposition"}
        full = where if root else os.path.abspath(where)
        return self.send_file(full, root=root, headers={"Content-Disposition": disposition, **others}, **options)

    def attachment(self, filename: str | None = None) -> Self:
        """Set ``Content-Disposition: attachment`` and, from the extension of a name, ``Content-Type``.

        Example::

            res.attachment("report.csv").send(rows)

        Args:
            filename: the name to offer; directories are taken off.

        Raises:
            HeadersSentError: the headers are on their way.
        """
        name = None if filename is None else _base(filename)
        if name:
            self.type(posixpath.splitext(name)[1])
        return self.set("Content-Disposition", _urls.content_disposition(name))


def _path(path: str | os.PathLike[str], method: str) -> str:
    where = os.fspath(path)
    if not isinstance(where, str) or not where:
        msg = f"res.{method}: expected a path, got {path!r}"
        raise TypeError(msg)
    return where


def _base(path: str) -> str:
    return posixpath.basename(path.rstrip("/"))
