"""Uploads: what Express has of ``multer``, over the streaming parser of python-multipart.

python-multipart is imported by the first upload.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asgi_express._inbox import too_large
from asgi_express._negotiation import type_is
from asgi_express.body._media import parameters
from asgi_express.body._options import function, limit_of
from asgi_express.body._parser import Handler
from asgi_express.body._read import claim, content_encoding, declared_length, drain, has_body, refuse_length, take
from asgi_express.body.multipart._events import Events, sliced
from asgi_express.body.multipart._file import UploadedFile
from asgi_express.body.multipart._limits import limits_of
from asgi_express.body.multipart._parts import FileFilter, Part, Parts, Rules, batched
from asgi_express.body.multipart._spool import Spool
from asgi_express.errors import BodyError
from asgi_express.types import Next, Size

if TYPE_CHECKING:
    from asgi_express.request import Request
    from asgi_express.response import Response

__all__ = ["Part", "Parts", "UploadedFile", "multipart"]

Storage = Literal["memory", "disk", "stream"]

# How long a body may be altogether.
_DEFAULT_LIMITS: dict[str, float] = {"memory": 10 * 1024**2, "disk": 1024**3, "stream": float("inf")}


def multipart(
    *,
    storage: Storage = "memory",
    single: str | None = None,
    array: str | tuple[str, int] | None = None,
    fields: Mapping[str, int | None] | None = None,
    limit: Size | float | None = None,
    limits: Mapping[str, Any] | None = None,
    file_filter: FileFilter | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> Handler:
    """Return a handler that takes uploads, ``multipart/form-data``.

    The values of fields are in ``req.body``, nested as their names say (``a[b]``, ``a[]``). Which files are
    taken, and where they are, one of these says:

    ========================================  ====================================  =========================
    option                                    takes                                 multer's
    ========================================  ====================================  =========================
    none of them                              any file, in the list ``req.files``   ``any()``
    ``single="avatar"``                       one, in ``req.file``                  ``single("avatar")``
    ``array=("photos", 12)``                  12, in the list ``req.files``         ``array("photos", 12)``
    ``fields={"avatar": 1, "photos": 8}``     both, in lists in ``req.files[...]``  ``fields([...])``
    ``fields={}``                             none                                  ``none()``
    ========================================  ====================================  =========================

    Example::

        async def profile(req, res):
            await req.file.save(avatars / f"{req.body['id']}.png")
            res.send_status(204)

        app.post("/profile", express.multipart(single="avatar", limits={"file_size": "2mb"}), profile)

        async def backup(req, res):
            async for part in req.parts:
                if part.is_file:
                    async for chunk in part.chunks():
                        ...
            res.send_status(204)

        app.post("/backup", express.multipart(storage="stream"), backup)

    Args:
        storage: ``"memory"``; ``"disk"``, temporary files, removed when the request is over; or ``"stream"``,
            parts that the handler reads itself, as they come, from ``req.parts``.
        single: the field of the one file.
        array: the field of the files, or the field and how many there may be.
        fields: the fields of files, and how many there may be of each; ``None`` for any number.
        limit: bytes that the whole body may have: 10 MiB in memory, 1 GiB on disk, any number as a stream,
            unless said otherwise; ``math.inf`` for any number.
        limits: the most that is allowed of each: ``field_name_size`` characters (any), ``field_size`` (1 MiB),
            ``field_total_size`` (2 MiB), ``fields`` (1000), ``file_size`` (any), ``files`` (100), ``parts`` (any),
            ``header_pairs`` (8), ``field_nesting_depth`` (32), ``field_array_index`` (100).
        file_filter: ``(req, part) -> bool``, plain or ``async``: whether to take a file; or it raises.
        directory: where temporary files are; the system's place for them by default.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: an option has a value that cannot be.

    The handler raises ``BodyError``, whose ``type`` is multer's code: 413 ``LIMIT_PART_COUNT``,
    ``LIMIT_FILE_SIZE``, ``LIMIT_FILE_COUNT``, ``LIMIT_FIELD_VALUE``, ``LIMIT_FIELD_COUNT``; 400 ``LIMIT_FIELD_KEY``,
    ``LIMIT_UNEXPECTED_FILE``, ``MISSING_FIELD_NAME``, ``LIMIT_FIELD_NESTING``, ``LIMIT_FIELD_ARRAY_INDEX``; or
    413 ``entity.too.large``; 400 ``multipart.boundary.missing``, ``multipart.parse.failed``,
    ``multipart.unexpected.end``, ``entity.parse.failed`` (a field is not in its charset); 415
    ``content-type.unsupported``, ``encoding.unsupported``, ``charset.unsupported``; and ``ClientDisconnect``.
    In ``"stream"``, reading the parts raises them.
    """
    if storage not in _DEFAULT_LIMITS:
        msg = f"multipart: option storage must be 'memory', 'disk' or 'stream', not {storage!r}"
        raise ValueError(msg)
    function("multipart", "file_filter", file_filter)
    upload = _Upload(
        storage=storage,
        rules=Rules(limits_of(limits), _allowed(single, array, fields), file_filter),
        shape="one" if single is not None else "lists" if fields is not None else "list",
        limit=limit_of("multipart", "limit", limit, _DEFAULT_LIMITS[storage]),
        directory=_directory(directory),
    )

    async def multipart_parser(req: Request, res: Response, next: Next) -> None:
        await upload.handle(req, res)
        next()

    return multipart_parser


def _allowed(
    single: str | None, array: str | tuple[str, int] | None, fields: Mapping[str, int | None] | None
) -> dict[str, float] | None:
    """Return how many files each field may have; ``None`` for any."""
    given = [name for name, value in (("single", single), ("array", array), ("fields", fields)) if value is not None]
    if len(given) > 1:
        msg = f"multipart: {' and '.join(given)} exclude each other"
        raise TypeError(msg)
    found: Any = fields
    if single is not None:
        found = {single: 1}
    elif array is not None:
        found = {array: None} if isinstance(array, str) else dict([array])
    if found is None:
        return None
    if not isinstance(found, Mapping):
        msg = f"multipart: option fields must be a mapping of names to numbers, not {found!r}"
        raise TypeError(msg)
    for name, count in found.items():
        if not isinstance(name, str) or not (count is None or (type(count) is int and count >= 0)):
            msg = f"multipart: {given[0]} needs the name of a field and a number of files, not {name!r} and {count!r}"
            raise TypeError(msg)
    return {name: float("inf") if count is None else count for name, count in found.items()}


def _directory(directory: str | os.PathLike[str] | None) -> str | None:
    if directory is None:
        return None
    path = Path(directory)
    if not path.is_dir():
        msg = f"multipart: option directory must be a directory, and {str(path)!r} is none"
        raise ValueError(msg)
    return str(path.resolve())


@dataclass(frozen=True, slots=True)
class _Upload:
    """The options of one ``multipart``."""

    storage: Storage
    rules: Rules
    shape: Literal["one", "list", "lists"]
    limit: float
    directory: str | None

    async def handle(self, req: Request, res: Response) -> None:
        """Read the upload of a request, if it is one."""
        told: dict[str, Any] = req.__dict__
        told.setdefault("file" if self.shape == "one" else "files", None)
        told.setdefault("parts", None)
        if not (has_body(req) and type_is(req.get("Content-Type"), ("multipart",)) and claim(req)):
            return
        try:
            fields: dict[str, Any] = {}
            events = self._events(req)
            req.body = fields
            if self.storage == "stream":
                told["parts"] = Parts(req, events, self.rules, fields, lambda error: drain(req, res, error))
                return
            files = await self._collect(req, Parts(req, events, self.rules, fields))
        except BodyError as error:
            await drain(req, res, error)
            raise
        if self.shape == "one":
            told["file"] = files[0] if files else None
        elif self.shape == "list":
            told["files"] = files
        else:
            told["files"] = by_name = dict[str, list[UploadedFile]]()
            for file in files:
                by_name.setdefault(file.name, []).append(file)

    def _events(self, req: Request) -> Events:
        header = req.get("Content-Type") or ""
        if type_is(header, ("multipart/form-data",)) is None:
            message = f"Unsupported content type: {header}"
            raise BodyError(415, message, type="content-type.unsupported")
        encoding = content_encoding(req)
        if encoding != "identity":
            message = f'unsupported content encoding "{encoding}"'
            raise BodyError(415, message, type="encoding.unsupported", encoding=encoding)
        refuse_length(declared_length(req), self.limit)
        boundary = parameters(header).get("boundary", "")
        pieces = self._kept(req) if self.storage == "memory" else _counted(req.stream(), self.limit)
        return Events(sliced(pieces), boundary, self.rules.limits.header_pairs)

    async def _kept(self, req: Request) -> AsyncIterator[bytes]:
        """Give the body in one piece, so that it can be read again: an upload in memory is not large."""
        yield await take(req, self.limit, coded=False) or b""

    async def _collect(self, req: Request, parts: Parts) -> list[UploadedFile]:
        spool = Spool(self.directory)
        if self.storage == "disk":
            req._on_over(spool.remove)
        return [
            await (_to_memory(part) if self.storage == "memory" else _to_disk(part, spool))
            async for part in parts
            if part.is_file
        ]


async def _to_memory(part: Part) -> UploadedFile:
    content = await part.read(limit=None)
    return UploadedFile(part, content=content)


async def _to_disk(part: Part, spool: Spool) -> UploadedFile:
    path = await spool.create()
    async for batch in batched(part.chunks()):
        await spool.write(path, batch)
    await spool.close(path)
    return UploadedFile(part, path=path)


async def _counted(pieces: AsyncIterator[bytes], limit: float) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise too_large(int(limit), size)
        yield piece
