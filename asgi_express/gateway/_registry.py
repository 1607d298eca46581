"""The entries of all files, by ID: read by their kinds, references followed, nothing made yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from asgi_express.errors import ExpressError
from asgi_express.gateway._environment import expand
from asgi_express.gateway._kinds import KINDS, OPEN, Field, Kind
from asgi_express.gateway._problems import Problems, Wrong, closest, listed
from asgi_express.gateway._sources import Document
from asgi_express.gateway._yaml import Node, parse

__all__ = ["Entry", "Registry", "read_registry"]

_NAME = re.compile(r"[A-Za-z_][\w.-]*\Z", re.ASCII)
_HEAD = {"version": '"1.0"', "namespace": "app", "entries": "[...]"}
_Made = TypeVar("_Made")

_ENDPOINT, _FUNCTION = "http.endpoint", "function.python"


@dataclass(slots=True)
class Entry:
    """An entry.

    Attributes:
        id: ``namespace:name``.
        kind: its kind.
        file: the file that it is in.
        line: where it begins.
        base: what its paths are relative to.
        node: all that it says, placeholders replaced.
        values: what its fields hold, by their paths, defaults included.
        references: the entries that it names: what is wanted of each, and where it is named.
        hidden: what came from the environment, and the text to show in its place.
        sound: whether nothing was found to be wrong with it.
    """

    id: str
    kind: Kind
    file: str
    line: int
    base: Path
    node: Node
    values: dict[str, Any] = field(default_factory=dict)
    references: list[tuple[str, Sequence[str], Node]] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)
    sound: bool = True

    @property
    def namespace(self) -> str:
        """What stands before the colon of its ID."""
        return self.id.partition(":")[0]

    def refer(self, node: Node, kinds: Sequence[str]) -> str:
        """Note a reference to another entry; return the whole ID."""
        name = str(node.value)
        whole = name if ":" in name else f"{self.namespace}:{name}"
        self.references.append((whole, kinds, node))
        return whole

    def place_for(self, other: Entry) -> str:
        """Return where it is, as another entry tells of it."""
        return f"line {self.line}" if other.file == self.file else f"{self.file}, line {self.line}"

    def line_of(self, path: str) -> int:
        """Return the line of a field, or of the innermost mapping around it that is there."""
        node, line = self.node, self.line
        for key in path.split("."):
            if not isinstance(node.value, dict) or key not in node.value:
                break
            node = node.value[key]
            line = node.line
        return line


class Registry:
    """All entries.

    Nothing refers to an endpoint, so it may have the ID of its function: Wippy's own example does that.

    Attributes:
        entries: what can be referred to, by ID.
        endpoints: the endpoints, by ID.
        documents: the files.
        problems: what was found to be wrong.
    """

    def __init__(self, documents: Sequence[Document], problems: Problems) -> None:
        self.entries: dict[str, Entry] = {}
        self.endpoints: dict[str, Entry] = {}
        self.documents = documents
        self.problems = problems

    def put(self, entry: Entry) -> None:
        """Take an entry, if there is none of its ID."""
        is_endpoint = entry.kind.name == _ENDPOINT
        home, other = (self.endpoints, self.entries) if is_endpoint else (self.entries, self.endpoints)
        known = home.get(entry.id) or other.get(entry.id)
        if known is None or {known.kind.name, entry.kind.name} == {_ENDPOINT, _FUNCTION}:
            home[entry.id] = entry
        else:
            message = f"there is an entry of this ID already, in {known.place_for(entry)}"
            self.add(entry, "name", "duplicate-entry", message, "give one of the two another name")

    def all(self) -> Iterator[Entry]:
        """Give all entries."""
        yield from self.entries.values()
        yield from self.endpoints.values()

    def of_kind(self, *kinds: str) -> Iterator[Entry]:
        """Give the entries of some kinds, in the order of the files."""
        return (entry for entry in self.all() if entry.kind.name in kinds)

    def add(self, entry: Entry, path: str, code: str, message: str, suggestion: str | None = None) -> None:
        """Note what is wrong with a field of an entry."""
        self.wrong(entry, path, Wrong(message, suggestion=suggestion, code=code))

    def wrong(self, entry: Entry, path: str, error: Wrong) -> None:
        """Note a value of a field that cannot be."""
        entry.sound = False
        for secret, shown in entry.hidden.items():
            error.message = error.message.replace(secret, shown)
        self.problems.wrong(error, file=entry.file, line=entry.line_of(path), entry=entry.id)

    def attempt(self, entry: Entry, path: str, make: Callable[[], _Made], advice: str | None = None) -> _Made | None:
        """Make something of a field; note why it cannot be, with advice."""
        try:
            return make()
        except Wrong as error:
            error.message = f"{path}: {error.message}"
            self.wrong(entry, path, error)
        except (TypeError, ValueError, LookupError, ImportError, ExpressError) as error:
            self.add(entry, path, "wrong-value", f"{path}: {error.args[0]}", advice)
        return None

    def sound(self, *kinds: str) -> Iterator[Entry]:
        """Give the entries of some kinds that nothing was found to be wrong with."""
        return (entry for entry in self.of_kind(*kinds) if entry.sound)


def read_registry(documents: Sequence[Document], environment: Mapping[str, str], problems: Problems) -> Registry:
    """Read the entries of files, and check whatever can be checked without making anything of them."""
    registry = Registry(documents, problems)
    for document in documents:
        root = parse(document.text, document.name, problems)
        if root is not None:
            for entry in _entries(root, document, problems):
                registry.put(entry)
    variables = _Variables(registry, environment)
    for entry in registry.all():
        entry.node = expand(entry.node, variables.read, _reporter(registry, entry), entry.hidden)
        _Reading(registry, entry).run()
    return registry


def _reporter(registry: Registry, entry: Entry) -> Callable[[Wrong], None]:
    return lambda error: registry.wrong(entry, "", error)


# -- files


_Report: TypeAlias = Callable[..., None]


def _entries(root: Node, document: Document, problems: Problems) -> Iterator[Entry]:
    def report(line: int, code: str, message: str, suggestion: str, entry: str | None = None) -> None:
        problems.add(code, message, file=document.name, line=line, entry=entry, suggestion=suggestion)

    if not isinstance(root.value, dict):
        advice = 'begin with version: "1.0"'
        report(root.line, "wrong-value", f"expected a mapping of {listed(_HEAD)}, not {root.shown}", advice)
        return
    namespace = _head(root.value, root.line, report)
    listing = root.value.get("entries", Node([], root.line))
    if not isinstance(listing.value, list):
        advice = "begin each entry with - name:"
        report(listing.line, "wrong-value", f"expected a list of entries, not {listing.shown}", advice)
        return
    for node in listing.value:
        entry = _entry(node, namespace, document, report)
        if entry is not None:
            yield entry


def _head(root: dict[str, Node], line: int, report: _Report) -> str:
    """Check what stands before the entries; return the namespace."""
    for key, child in root.items():
        if key not in _HEAD:
            advice = closest(key, _HEAD, otherwise=f"a file has {listed(_HEAD)}")
            report(child.line, "unknown-field", f"there is no field {key!r} in a file", advice)
    for key in _HEAD:
        if key not in root:
            report(line, "missing-field", f"the file needs {key!r}", f"add {key}: {_HEAD[key]}")
    version = root.get("version")
    if version is not None and version.raw not in ("1.0", "1"):
        report(version.line, "wrong-value", f"expected version 1.0, not {version.shown}", 'write version: "1.0"')
    namespace = root.get("namespace", Node("app", line))
    if isinstance(namespace.value, str) and _NAME.match(namespace.value):
        return namespace.value
    words = "letters, digits, _ and -, in words joined by dots"
    message = f"expected a namespace of {words}, not {namespace.shown}"
    report(namespace.line, "wrong-value", message, "write app, say")
    return "app"


def _entry(node: Node, namespace: str, document: Document, report: _Report) -> Entry | None:
    if not isinstance(node.value, dict):
        message = f"expected an entry, a mapping with name and kind, not {node.shown}"
        report(node.line, "wrong-value", message, "begin it with - name:")
        return None
    missing = [key for key in ("name", "kind") if key not in node.value]
    for key in missing:
        known = next((node.value[each].raw for each in ("name", "kind") if each in node.value), None)
        whose = f"; this is the one of {known!r}" if known else ""
        report(node.line, "missing-field", f"an entry needs {key!r}{whose}", f"add {key}")
    if missing:
        return None
    name, kind = node.value["name"], node.value["kind"]
    if not isinstance(name.value, str) or not _NAME.match(name.value):
        message = f"expected a name of letters, digits, _, - and dots, not {name.shown}"
        report(name.line, "wrong-value", message, "write api, say")
        return None
    identity = f"{namespace}:{name.value}"
    declared = KINDS.get(kind.raw)
    if declared is None:
        advice = closest(kind.raw, KINDS, otherwise=f"there are {listed(KINDS)}")
        if kind.raw.startswith("function."):
            advice = "functions are function.python here"
        report(kind.line, "unknown-kind", f"there is no kind {kind.shown}", advice, identity)
        return None
    return Entry(identity, declared, document.name, node.line, document.base, node)


# -- the fields of an entry


class _Reading:
    def __init__(self, registry: Registry, entry: Entry) -> None:
        self._registry = registry
        self._entry = entry
        self._fields = {each.name: each for each in entry.kind.fields}
        # A variable without a value was noted; what is not right with the rest of its field then is no news.
        self._unset = not entry.sound

    def run(self) -> None:
        """Read all fields; what is missing has its default."""
        self._walk(self._entry.node, "")
        wrong = {path for path in self._fields if path not in self._entry.values and self._is_there(path)}
        for name, each in self._fields.items():
            if name in self._entry.values or name in wrong:
                continue
            if each.required:
                self._missing(each)
            elif each.default is not None:
                self._entry.values[name] = each.type.read(Node(each.default, 0, str(each.default)), self._entry)

    def _is_there(self, path: str) -> bool:
        node = self._entry.node
        for key in path.split("."):
            if not isinstance(node.value, dict) or key not in node.value:
                return False
            node = node.value[key]
        return True

    def _walk(self, node: Node, prefix: str) -> None:
        if not isinstance(node.value, dict):
            message = f"{prefix.rstrip('.')} is a mapping, not {node.shown}"
            names = [name.removeprefix(prefix) for name in self._fields if name.startswith(prefix)]
            self._registry.add(self._entry, prefix.rstrip("."), "wrong-value", message, f"there are {listed(names)}")
            return
        for key, child in node.value.items():
            path = prefix + key
            if path in self._fields:
                try:
                    self._entry.values[path] = self._fields[path].type.read(child, self._entry)
                except Wrong as error:
                    if not self._unset:
                        error.message = f"{path}: {error.message}"
                        self._registry.wrong(self._entry, path, error)
            elif any(name.startswith(path + ".") for name in self._fields):
                self._walk(child, path + ".")
            elif prefix.rstrip(".") not in OPEN and path not in ("name", "kind", *OPEN):
                self._unknown(path, prefix)

    def _unknown(self, path: str, prefix: str) -> None:
        kind = self._entry.kind.name
        beside = {name.removeprefix(prefix).partition(".")[0] for name in self._fields if name.startswith(prefix)}
        word = path.removeprefix(prefix)
        elsewhere = [name for name in self._fields if name.endswith("." + word)]
        if elsewhere:
            advice: str | None = f"did you mean {elsewhere[0]!r}?"
        else:
            fields = {*beside, "meta"} if not prefix else beside
            advice = closest(prefix + word, [prefix + each for each in fields])
            advice = advice or f"there are {listed(sorted(fields))}"
        self._registry.add(self._entry, path, "unknown-field", f"{kind} has no field {path!r}", advice)

    def _missing(self, each: Field) -> None:
        around, _, _ = each.name.rpartition(".")
        given = self._entry.node.plain()
        for key in around.split(".") if around else ():
            given = given.get(key) or {}
            if not isinstance(given, dict):  # which was noted
                return
        known = {"name", "kind", *OPEN, *(part for name in self._fields for part in name.split("."))}
        near = closest(each.name.rpartition(".")[2], [key for key in given if key not in known])
        advice = near.replace("did you mean", "is it") if near else f"add {each.name}: {each.type.example}"
        message = f"{self._entry.kind.name} needs {each.name!r}, {each.type.words}"
        self._registry.add(self._entry, around or "", "missing-field", message, advice)


# -- variables


class _Variables:
    """What placeholders stand for: the entries of kind ``env.variable`` first, then the environment."""

    def __init__(self, registry: Registry, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._declared: dict[str, tuple[str, str | None]] = {}
        for entry in registry.of_kind("env.variable"):
            given = entry.node.value
            assert isinstance(given, dict)  # noqa: S101 - it has a kind
            variable = given["variable"].raw if "variable" in given else entry.id.partition(":")[2]
            default = given["default"].raw if "default" in given else None
            for name in (variable, entry.id.partition(":")[2], entry.id):
                self._declared.setdefault(name, (variable, default))

    def read(self, name: str) -> str | None:
        """Return the value of a name."""
        variable, default = self._declared.get(name, (name, None))
        return self._environment.get(variable, default)
