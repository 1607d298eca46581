"""What a program sees of a session."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any

__all__ = ["SessionData", "dump"]


def dump(data: Any) -> str:
    """Return the JSON of a value, in ASCII.

    Raises:
        RecursionError: it is nested too deep.
        TypeError: JSON has no form for it.
        ValueError: a number in it is not finite, or it holds itself.
    """
    return _ENCODER.encode(data)


# json.dumps would make one each time, which takes 1 us.
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


class SessionData(MutableMapping[str, Any]):
    """A session: a mapping of text to what JSON can hold.

    Whatever is read or written marks it as used. What has changed is found by comparing its JSON, so that changes
    deep inside count as well: ``session["cart"]["items"].append(7)``.

    Args:
        data: what was kept; ``None`` where there is no session yet.
        saved: its JSON, where that is known.

    Attributes:
        renewed: whether it goes on as another session; set by ``regenerate`` and ``destroy``.
    """

    __slots__ = ("_data", "_new", "_saved", "_used", "_written", "renewed")

    def __init__(self, data: dict[str, Any] | None = None, saved: str | None = None) -> None:
        self._new = data is None
        self._data = {} if data is None else data
        self._saved = dump(self._data) if saved is None else saved
        self._used = self._written = False
        self.renewed = False

    def __getitem__(self, key: str) -> Any:
        self._used = True
        return self._data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            msg = f"the keys of a session are text, not {key!r}"
            raise TypeError(msg)
        self._used = self._written = True
        self._data[key] = value

    def __delitem__(self, key: str) -> None:
        self._used = self._written = True
        del self._data[key]

    def __iter__(self) -> Iterator[str]:
        self._used = True
        return iter(self._data)

    def __len__(self) -> int:
        self._used = True
        return len(self._data)

    def __repr__(self) -> str:
        """Name the keys only: what they hold does not belong into logs."""
        return f"<session: {', '.join(map(repr, self)) or 'empty'}>"

    @property
    def new(self) -> bool:
        """Whether the request came without a session that is valid."""
        self._used = True
        return self._new

    @property
    def accessed(self) -> bool:
        """Whether the program has used the session."""
        return self._used

    @property
    def modified(self) -> bool:
        """Whether there is something to save."""
        if not self._used or self.is_as_saved():
            return False
        try:
            return self.renewed or dump(self._data) != self._saved
        except (TypeError, ValueError, RecursionError):  # saving it will say so
            return True

    def regenerate(self, *, keep: bool = False) -> None:
        """Go on as another session: a new id, and a lifetime from now on. The old session is deleted.

        Call it where what the client may do changes, above all at login: an id that somebody else has planted or
        learnt before is then worth nothing.

        Args:
            keep: whether the data stay; by default they go, as in ``express-session``.

        Example::

            req.session.regenerate()
            req.session["user"] = user.id
        """
        self._used = self._written = self.renewed = True
        if not keep:
            self._data = {}

    def destroy(self) -> None:
        """End the session: it is deleted, and so is the cookie. What is written afterwards begins a new one."""
        self.regenerate()

    def clear(self) -> None:
        """Do as ``destroy``."""
        self.regenerate()

    def settle(self) -> tuple[dict[str, Any], str, bool]:
        """Take what there is now as saved; return it, its JSON, and whether it is something else than before."""
        if self.is_as_saved():
            return self._data, self._saved, False
        saved = dump(self._data)
        changed = self.renewed or saved != self._saved
        self._saved = saved
        self.renewed = self._written = False
        return self._data, saved, changed

    def is_as_saved(self) -> bool:
        """Tell whether nothing can have changed: nothing was written here, and there is nothing inside to change."""
        saved = self._saved
        return not self._written and saved.find("{", 1) < 0 and "[" not in saved
