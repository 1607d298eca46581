"""Which mount and which endpoint a request goes to: the longest prefix, then the most specific path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from asgi_express.gateway._registry import Entry, Registry

__all__ = ["Mount", "endpoints_of", "mounts_of", "read_mounts"]

_PARAMETER = re.compile(r"\{[^{}:.]*|:\w+")
_NAME = re.compile(r"\{(\w+)|:(\w+)")
_REST = re.compile(r"\{[^{}]*(?:\.\.\.|:path)\}|\*")


@dataclass(frozen=True, slots=True)
class Mount:
    """A router or a directory of files at a prefix of a service.

    Attributes:
        entry: the router or the files.
        service: the ID of the service.
        prefix: the prefix; ``/`` for all.
    """

    entry: Entry
    service: str
    prefix: str

    @property
    def field(self) -> str:
        """The field that says where it is."""
        return "prefix" if self.entry.kind.name == "http.router" else "path"

    @property
    def segments(self) -> tuple[str, ...]:
        """The prefix in parts, as they are compared."""
        return _segments(self.prefix)


def _segments(path: str) -> tuple[str, ...]:
    """Part a path. Letter case does not count, as in the router, nor does what a parameter is called."""
    text = _PARAMETER.sub(lambda match: match[0][0], path.lower()).strip("/")
    return tuple(text.split("/")) if text else ()


def read_mounts(registry: Registry) -> list[Mount]:
    """Return all mounts, and note endpoints and mounts that get nothing because another one does."""
    mounts = []
    for entry in registry.of_kind("http.router", "http.static"):
        prefix = entry.values.get("prefix", entry.values.get("path"))
        service = entry.values.get("meta.server")
        if prefix is not None and service is not None:
            mounts.append(Mount(entry, service, "/" + prefix.strip("/")))
    _check_mounts(registry, mounts)
    _check_endpoints(registry, mounts)
    return mounts


def mounts_of(mounts: list[Mount], service: str) -> list[Mount]:
    """Return the mounts of a service, the longest prefix first; of one prefix, the router before the files."""
    own = [mount for mount in mounts if mount.service == service]
    return sorted(own, key=lambda mount: (-len(mount.segments), mount.segments, mount.entry.kind.name))


def endpoints_of(registry: Registry, router: str) -> list[Entry]:
    """Return the endpoints of a router, the most specific first: whatever the order in the files."""
    own = [entry for entry in registry.sound("http.endpoint") if entry.values["meta.router"] == router]
    return sorted(own, key=lambda entry: (_vagueness(entry.values["path"]), entry.values["method"] != "HEAD"))


def _vagueness(path: str) -> tuple[int, ...]:
    return tuple(
        3 if _REST.search(segment) else 0 if not _PARAMETER.search(segment) else 1 if ":" in segment[1:] else 2
        for segment in path.strip("/").split("/")
    )


def _check_mounts(registry: Registry, mounts: list[Mount]) -> None:
    taken: dict[tuple[str, str, tuple[str, ...]], Entry] = {}
    for mount in mounts:
        entry = mount.entry
        first = taken.setdefault((mount.service, entry.kind.name, mount.segments), entry)
        if first is not entry:
            message = f"{first.id} has the prefix {mount.prefix!r} on {mount.service} already"
            registry.add(
                entry, mount.field, "duplicate-route", message, "make one of the two, or give it another prefix"
            )


def _check_endpoints(registry: Registry, mounts: list[Mount]) -> None:
    by_router = {mount.entry.id: mount for mount in mounts}
    taken: dict[tuple[str, str, tuple[str, ...]], Entry] = {}
    for entry in registry.sound("http.endpoint"):
        router, method, path = (entry.values[name] for name in ("meta.router", "method", "path"))
        own = _segments(path)
        first = taken.setdefault((router, method, own), entry)
        if first is not entry:
            message = f"{first.id} answers {method} {path} already, in {first.place_for(entry)}"
            registry.add(entry, "path", "duplicate-route", message, "take one of the two out")
        if any(_REST.search(segment) for segment in path.strip("/").split("/")[:-1]):
            registry.add(
                entry,
                "path",
                "wrong-value",
                f"path: {path!r} goes on after the rest of the path",
                "{param...} is the last segment",
            )
        names = _NAME.findall(path)
        if len(names) != len(set(names)):
            message = f"path: {path!r} has two parameters of one name"
            registry.add(entry, "path", "wrong-value", message, "give each a name of its own")
        mount = by_router.get(router)
        if mount is not None:
            _check_reach(registry, entry, mount, own, mounts)


def _check_reach(registry: Registry, entry: Entry, mount: Mount, own: tuple[str, ...], mounts: list[Mount]) -> None:
    whole = (*mount.segments, *own)
    for other in _longer(mounts, mount):
        if whole[: len(other.segments)] == other.segments:
            message = f"its requests go to {other.entry.id}, whose prefix {other.prefix!r} is longer"
            registry.add(entry, "path", "unreachable-route", message, "move it there, or change one of the paths")
            return


def _longer(mounts: list[Mount], mount: Mount) -> Iterator[Mount]:
    return (other for other in mounts if other.service == mount.service and len(other.segments) > len(mount.segments))
