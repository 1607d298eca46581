"""Names of channels: ``"data:store:user"``, or the parts in a list where a part may have a colon."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["ChannelName", "parse_name", "written"]

ChannelName: TypeAlias = str | Sequence[str]
"""``"data:store:user"``, or ``["data", "store", "user"]``; ``"*"`` or ``[]`` is the parent of all."""

_ROOT = "*"
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def parse_name(name: ChannelName) -> tuple[str, ...]:
    """Return the parts of a name, the outermost first.

    Raises:
        TypeError: it is neither text nor a sequence of texts.
        ValueError: a part is empty, or has a control character; ``*`` is a part of written text.
    """
    if isinstance(name, str):
        if name == _ROOT:
            return ()
        parts = tuple(name.split(":"))
        if _ROOT in parts:
            msg = f"channel {name!r}: '*' alone is the parent of all channels; there are no patterns"
            raise ValueError(msg)
    else:
        try:
            parts = tuple(name)
        except TypeError:
            msg = f"a channel is named by text such as 'data:store:user', or a list of its parts, not {name!r}"
            raise TypeError(msg) from None
    for part in parts:
        if not isinstance(part, str):
            msg = f"channel {name!r}: a part must be text, not {part!r}"
            raise TypeError(msg)
        if not part or _CONTROL.search(part):
            msg = f"channel {name!r}: a part must not be empty, and have no control characters"
            raise ValueError(msg)
    return parts


def written(path: Sequence[str]) -> str:
    """Return a name as people write it."""
    return ":".join(path) or _ROOT
