"""A path that somebody named: refused, or joined to the root. Text only, no file is touched.

Express lets ``a/../b`` and ``a%2Fb`` through as long as they stay inside the root. They are refused here:
a guard on ``/files/private`` does not see ``/files/public/..%2fprivate/x`` (CVE-2022-35920).
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import unquote

from asgi_express._sendfile.options import FileOptions
from asgi_express.errors import HTTPError

__all__ = ["Missing", "Target", "decode", "extension", "locate"]

_UP = re.compile(r"(?:^|[\\/])\.\.(?:[\\/]|\Z)")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HIDDEN_SEPARATOR = re.compile(r"%2f|%5c|\\", re.IGNORECASE)

# Names that Windows opens as devices, whatever directory and extension they stand in (CVE-2025-66221, CVE-2026-27199).
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(?:[.:].*)?\Z", re.IGNORECASE
)


class Missing(HTTPError):
    """404: there is no such file, or it is not to be seen.

    Attributes:
        refused: whether the name alone was reason enough, without a look at the file system.
    """

    def __init__(self, *, refused: bool = False, expose: bool = True) -> None:
        super().__init__(404, expose=expose)
        self.refused = refused


class Target(NamedTuple):
    """Where to look.

    Attributes:
        path: the path in the file system; ends with a slash only if a directory was named, under a root.
        root: the directory that it must stay in; ``None`` for none.
        directory: whether a directory was named, by a slash at the end.
    """

    path: str
    root: str | None
    directory: bool


def decode(path: str) -> str:
    """Percent-decode the path of a URL, once.

    Raises:
        HTTPError: 400, an escape is broken or not UTF-8; 403, it has a segment ``..``.
        Missing: an escape hides a separator.
    """
    if "%" not in path and "\\" not in path:
        return path
    if _LONE_PERCENT.search(path):
        raise HTTPError(400)
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise HTTPError(400) from None
    _refuse(decoded)
    if _HIDDEN_SEPARATOR.search(path):
        raise Missing(refused=True)
    return decoded


def _refuse(path: str) -> None:
    if "\0" in path:
        raise HTTPError(400)
    if _UP.search(path):
        raise HTTPError(403)


def locate(path: str, options: FileOptions, *, windows: bool = os.name == "nt") -> Target:
    """Refuse a path, or say where to look for it.

    Args:
        path: decoded; relative to the root, whatever slashes it begins with, or absolute if there is none.
        options: ``root`` and ``dotfiles`` count.
        windows: whether to refuse what Windows would take for a drive, a stream or a device.

    Raises:
        HTTPError: 400, it has a NUL; 403, it has a segment ``..``, or one with a dot while ``dotfiles`` is ``"deny"``.
        Missing: it has a segment with a dot, a backslash or what Windows would take for a device.
    """
    _refuse(path)
    directory = path.endswith("/")
    root = options.root
    if root is None:
        full = os.path.abspath(path)
        _check_dots(full.split(os.sep), options)
        return Target(full, None, directory)
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    _check_dots(segments, options)
    if "\\" in path or (windows and any(map(_is_special, segments))):
        raise Missing(refused=True)
    full = "/".join([root.rstrip("/"), *segments])
    return Target(f"{full}/" if directory else full or "/", root, directory)


def _check_dots(segments: list[str], options: FileOptions) -> None:
    if options.dotfiles != "allow" and any(len(segment) > 1 and segment[0] == "." for segment in segments):
        if options.dotfiles == "deny":
            raise HTTPError(403)
        raise Missing(refused=True)


def _is_special(segment: str) -> bool:
    return ":" in segment or segment[-1] in ". " or bool(_DEVICE.match(segment))


def extension(path: str) -> str:
    """Return the extension of the last segment with its dot, as Node's ``extname`` does; ``""`` if it has none."""
    name = path[path.rfind("/") + 1 :]
    stem, _, suffix = name.rpartition(".")
    return f".{suffix}" if stem else ""
