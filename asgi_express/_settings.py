"""The settings of an application: a chain of names, with those derived from them compiled once.

A sub-application inherits what it has not set itself from the application that it is mounted on,
live, as in Express: what every application is born with is therefore never inherited, but for
``trust proxy``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from asgi_express import _freshness, _query
from asgi_express._addresses import Trust, TrustSpec, compile_trust
from asgi_express._headers import header_value

__all__ = ["Settings", "default_env"]


def default_env() -> str:
    """Return ``ASGI_EXPRESS_ENV``, ``"production"`` where it is not set; ``debug`` means ``development``."""
    return _env(os.environ.get("ASGI_EXPRESS_ENV") or "production")


def _env(value: str) -> str:
    return "development" if value == "debug" else value


def _trust_none(_address: str, _index: int) -> bool:
    return False


def _tagger(how: Any) -> Callable[[bytes], bytes | None]:
    if not callable(how):
        return (_freshness.strong_etag if how == "strong" else _freshness.weak_etag) if how else _untagged

    make = cast("Callable[[bytes], str | None]", how)

    def tag(content: bytes) -> bytes | None:
        value = make(content)
        return header_value("ETag", value) if value else None

    return tag


def _untagged(_content: bytes) -> None:
    return None


_JSON_WORDS = ("spaces", "replacer", "escape")

_ALLOWED: dict[str, tuple[Any, ...]] = {
    "etag": (True, False, "weak", "strong"),
    "query parser": (True, False, "simple", "extended"),
}


class Settings(Mapping[str, Any]):
    """A mapping of setting names (spelled as in Express, with spaces) to values."""

    __slots__ = ("_json", "_own", "_trust", "development", "entity_tag", "parent", "powered_by")

    entity_tag: Callable[[bytes], bytes | None]
    """Return the entity tag of an answer, by the setting ``etag``. A function of the user's may give one that may not
    be sent, which is a ``HeaderValueError``."""

    def __init__(self) -> None:
        self.parent: Settings | None = None
        # What every request asks for, at hand: none of it is inherited.
        env = default_env()
        self.development = env == "development"
        self.powered_by = True
        self.entity_tag = _freshness.weak_etag
        self._json = False
        # Alone of what an application is born with, this is inherited until it is set (as in Express).
        self._trust: Trust | None = None
        self._own: dict[str, Any] = {
            "x-powered-by": True,
            "etag": "weak",
            "env": env,
            "query parser": "simple",
            "subdomain offset": 2,
            "jsonp callback name": "callback",
            "views": "views",
        }

    def set(self, name: str, value: Any) -> None:
        """Store a value.

        Raises:
            ValueError: the setting does not know the value.
        """
        if name == "env":
            value = _env(value)
        elif name in _ALLOWED and not (callable(value) or (type(value) in (bool, str) and value in _ALLOWED[name])):
            words = ", ".join(map(repr, _ALLOWED[name]))
            msg = f"set({name!r}): unknown value {value!r}; it takes {words}, or a function"
            raise ValueError(msg)
        elif name == "trust proxy":
            self._trust = compile_trust(cast("TrustSpec", value))
        self._own[name] = value
        self.development = self._own["env"] == "development"
        self.powered_by = bool(self._own["x-powered-by"])
        self.entity_tag = _tagger(self._own["etag"])
        self._json = self._json or name.startswith("json ")

    @property
    def json_options(self) -> dict[str, Any]:
        """The settings ``json spaces``, ``json replacer`` and ``json escape``, own or inherited, by their last word."""
        settings: Settings | None = self
        while settings is not None and not settings._json:
            settings = settings.parent
        if settings is None:
            return {}
        return {word: self[name] for word in _JSON_WORDS if (name := f"json {word}") in self}

    @property
    def trust(self) -> Trust:
        """Whether to trust a proxy, by the setting ``trust proxy``: a function of its address and distance."""
        if self._trust is not None:
            return self._trust
        return _trust_none if self.parent is None else self.parent.trust

    def parse_query(self, text: str) -> Any:
        """Return the parsed query, by the setting ``query parser``; a function gets the raw text, ``None`` if empty."""
        how = self["query parser"]
        if callable(how):
            return how(text or None)
        if not how:
            return {}
        return _query.extended(text) if how == "extended" else _query.simple(text)

    def __getitem__(self, name: str) -> Any:
        settings: Settings | None = self
        while settings is not None:
            own = settings._own
            if name in own:
                return own[name]
            settings = settings.parent
        if name == "trust proxy":
            return False
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        seen = dict(self._own)
        if self.parent is not None:
            seen = {**dict(self.parent), **seen}
        return iter(seen)

    def __len__(self) -> int:
        return sum(1 for _ in self)
