"""Whether a middleware passed a path by that would match it as those read it who decode it first.

We route on the raw path, where ``/%61dmin``, ``//admin`` and ``/x/../admin`` are not ``/admin``; mounted apps and the
file system do not. What a guard has not seen must not reach them (CVE-2026-22031, CVE-2026-29087).
"""

from __future__ import annotations

import re

from asgi_express._frames import Frame, RouterFrame
from asgi_express._layer import Layer
from asgi_express._scope import plain_paths
from asgi_express.errors import DecodeError

__all__ = ["guard_missed"]

# What a path has that can be read in more than one way.
_READ_OTHERWISE = re.compile(r"%|//|/\.\.?(?:/|\Z)")


def guard_missed(frame: Frame | None) -> bool:
    """Tell whether what stands before a place, in its router or in one around it, has missed a reading of the path."""
    while frame is not None:
        if type(frame) is RouterFrame and _READ_OTHERWISE.search(frame.path):
            readings = plain_paths(frame.path) - {frame.path}
            if any(_passed_by(frame, reading) for reading in readings):
                return True
        frame = frame.parent
    return False


def _passed_by(frame: RouterFrame, plain: str) -> bool:
    for layer in frame.router.stack[: frame.index - 1]:
        is_guard = layer.route is None or "*" in layer.route.methods  # app.all("/admin/*rest", log_in)
        if is_guard and _matches(layer, plain) and not _matches(layer, frame.path):
            return True
    return False


def _matches(layer: Layer, path: str) -> bool:
    try:
        return layer.match(path) is not None
    except DecodeError:
        return False  # it has not run, even if an error handler has let the request go on
