"""The import table: who may import whom inside the package, level by level."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import asgi_express

PACKAGE = Path(asgi_express.__file__).parent
NAME = PACKAGE.name

# Each module, or folder, and everything that it imports from the package when it is imported. A line may name only
# lines above it. Inside a folder the modules import one another as they need to, but never in a circle.
TABLE: dict[str, set[str]] = {
    # words and shapes
    "types": set(),
    "_status": set(),
    "errors": {"_status"},
    # what HTTP and Express mean by these: functions without I/O
    "_addresses": set(),
    "_aside": set(),
    "_camel": set(),
    "_events": set(),
    "_flags": set(),
    "_freshness": set(),
    "_json": set(),
    "_json_text": set(),
    "_memo": set(),
    "_mime_types": set(),
    "_mime": set(),
    "_query_tree": set(),
    "_query": {"_query_tree"},
    "_ranges": set(),
    "_urls": set(),
    "_negotiation": {"_mime"},
    "_units": {"types"},
    "_charset": {"errors"},
    "_cookies": {"_freshness", "_units", "types"},
    "_headers": {"errors"},
    "_scope": {"errors", "types"},
    "_settings": {"_addresses", "_freshness", "_headers", "_query"},
    # paths
    "_tokens": {"errors"},
    "_path_regex": {"_tokens", "errors"},
    "_pattern": {"_path_regex", "_tokens", "errors", "types"},
    "_compose": {"_pattern", "_tokens", "_urls", "errors"},
    "_handlers": {"types"},
    "_named": {"_compose", "_handlers", "_pattern", "_scope", "_urls", "errors"},
    # the request
    "_inbox": {"errors", "types"},
    "_forms": {"_aside", "_charset", "_inbox", "_query", "errors", "types"},
    "_incoming": {"_aside", "_charset", "_events", "_inbox", "_json_text", "_units", "errors", "types"},
    "request": {
        "_addresses",
        "_camel",
        "_cookies",
        "_freshness",
        "_incoming",
        "_named",
        "_negotiation",
        "_ranges",
        "_scope",
        "_urls",
    },
    # the response
    "_outgoing": {"_events", "errors", "types"},
    "_heading": {"_cookies", "_headers", "_mime", "_outgoing", "_urls", "errors", "types"},
    "_files": {"_heading", "_urls", "types"},
    "_sendfile": {
        *("_freshness", "_headers", "_mime", "_negotiation", "_outgoing", "_ranges", "_units", "errors", "types"),
    },
    "response": {
        *("_camel", "_files", "_headers", "_json", "_mime", "_negotiation", "_outgoing", "_status", "_urls"),
        *("errors", "types"),
    },
    # handlers and stacks
    "_host": {"_handlers", "_scope", "types"},
    "_verbs": {"types"},
    "_layer": {"_handlers", "_pattern", "types"},
    "_index": {"_layer", "_pattern", "_tokens"},
    # the walk
    "_frames": {"_handlers", "_layer", "_pattern", "_urls", "request", "types"},
    "_missed": {"_frames", "_layer", "_scope", "errors"},
    "_selection": {
        *("_frames", "_handlers", "_layer", "_missed", "_pattern", "_scope", "errors", "request", "response", "types"),
    },
    "_debug_page": {"_urls"},
    "_final": {"_debug_page", "_headers", "_json", "_scope", "_status", "_urls"},
    "_continuation": {"_handlers", "errors"},
    "_sockets": set(),
    "_places": {"_frames", "_handlers", "_scope", "types"},
    "_dispatch": {
        *(
            "_continuation",
            "_final",
            "_frames",
            "_handlers",
            "_outgoing",
            "_places",
            "_scope",
            "_selection",
            "errors",
            "response",
            "types",
        ),
    },
    # what users register on
    "_routes": {"_handlers", "_named", "_pattern", "errors"},
    "_lifespan": {"_handlers", "_scope", "errors", "types"},
    "route": {"_frames", "_handlers", "_host", "_pattern", "_verbs", "types"},
    "router": {
        *("_camel", "_dispatch", "_handlers", "_index", "_layer", "_lifespan", "_named", "_routes", "_settings"),
        *("_verbs", "errors", "route", "types"),
    },
    "application": {"_camel", "_events", "_verbs", "errors", "router"},
    # what a request would meet
    "_explain": {
        *("_dispatch", "_frames", "_handlers", "_named", "_pattern", "_places", "_scope", "_status", "errors"),
        "types",
    },
    # used by applications, not by the core
    "body": {"_aside", "_charset", "_inbox", "_json_text", "_negotiation", "_query", "_units", "errors", "types"},
    "cookies": {"request", "types"},
    "server": {"errors", "types"},
    "sse": {"_json", "_units", "errors", "types"},
    "static": {"_negotiation", "_sendfile", "_urls", "errors", "request", "response", "types"},
    "views": {"errors"},
    "processes": {"_units", "errors", "types"},
    "stores": {"_units", "errors", "types"},
    "security": {"_cookies", "_json", "_memo", "_units", "errors", "stores", "types"},
    "middleware": {
        *("_addresses", "_cookies", "_debug_page", "_flags", "_freshness", "_headers", "_host", "_json", "_memo"),
        *("_mime", "_negotiation", "_ranges", "_scope", "_sendfile", "_status", "_units", "_urls", "errors"),
        *("processes", "security", "sse", "stores", "types"),
    },
    # a style of application
    "actions": {
        *("_camel", "_compose", "_cookies", "_final", "_handlers", "_layer", "_path_regex", "_pattern", "_tokens"),
        *("_urls", "_verbs", "application", "errors", "middleware", "route", "router"),
    },
    "gateway": {
        *("_handlers", "_json", "_lifespan", "_scope", "_units", "application", "errors", "middleware"),
        *("processes", "request", "response", "router", "security", "sse", "static", "stores", "types"),
    },
    "validate": {"errors", "request", "types"},
    # Luxure's server, Lusty's channels
    "luxure": {"_verbs", "application", "errors", "sse", "types"},
    "channels": {"_handlers", "_json_text", "_units", "errors", "router", "stores", "types"},
    # what people look with
    "_outline": {"_handlers", "_routes"},
    # the front door
    "": {
        *(
            "_handlers",
            "_routes",
            "_scope",
            "application",
            "cookies",
            "errors",
            "request",
            "response",
            "route",
            "router",
        ),
        *("router", "static", "types"),
    },
    "explorer": {
        *("_dispatch", "_frames", "_handlers", "_layer", "_outline", "_pattern", "_places", "_scope", "body"),
        *("errors", "route", "router", "sse", "types"),
    },
    # the command line
    "cli": {
        *("", "_explain", "_outline", "_routes", "_verbs", "errors", "gateway", "router", "security", "server"),
    },
}

# Here the table says what may be imported, whether or not a module does so yet: pure helpers, never the router.
GROWING = {"middleware", "security"}

# Imported by a function when it is first called, and why.
LATE: dict[str, set[str]] = {
    "_dispatch": {"_sockets"},  # what Starlette imports for WebSockets is a sixth of the whole
    "_incoming": {"_forms"},  # only requests with forms need it
    "": {"body", "gateway", "middleware"},  # for those who use them: parsers, files of entries, sessions
    "_files": {"_sendfile"},  # only answers with files need it
    "_mime": {"_mime_types"},  # a table of 45 kB
    "application": {"server", "views"},  # need extras: uvicorn, an engine
    "luxure": {"server"},  # needs the extra: uvicorn
    "router": {"_explain"},  # a tool; no request needs it
    "response": {"sse"},  # only answers with events need it
}

# Modules that must work without the others: the suite goes around any ASGI app.
APART: dict[str, set[str]] = {
    "middleware": {
        "_dispatch",
        "_selection",
        "request",
        "response",
        "route",
        "router",
        "application",
        "body",
        "static",
    },
    "stores": {"_dispatch", "request", "response", "router", "application", "middleware"},
    "router": {"application", "server", "body", "static", "views", "sse", "middleware", "security", "stores"},
}

MAX_LINES = 400
# Files with more lines, each with its reason.
LONG: dict[str, str] = {"router": "documentation: an example for every public method"}


def module_of(path: Path) -> str:
    """Return the dotted name of a file inside the package, ``""`` for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def unit_of(module: str) -> str:
    """Return the line of the table that a module belongs to: itself, or its folder."""
    return module.partition(".")[0]


class Imports(ast.NodeVisitor):
    """The imports of one file from the package, apart: on import, late; those for type checkers do not count."""

    def __init__(self, path: Path) -> None:
        self.early: set[str] = set()
        self.late: set[str] = set()
        self.relative = False
        self._into = self.early
        self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self._into = self._into, self.late
        self.generic_visit(node)
        self._into = before

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that ast looks for

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._note(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.relative = self.relative or node.level > 0
        for alias in node.names:
            base = node.module or ""
            inner = f"{base}.{alias.name}".removeprefix(NAME + ".")
            self._note(f"{base}.{alias.name}" if inner in FILES else base)

    def _note(self, name: str) -> None:
        package, _, module = name.partition(".")
        if package == NAME:
            self._into.add(module)


IMPORTS = {module: Imports(path) for module, path in FILES.items()}


def crossing(kind: str) -> dict[str, set[str]]:
    """Return the imports between lines of the table."""
    found: dict[str, set[str]] = {}
    for module, imports in IMPORTS.items():
        unit = unit_of(module)
        found.setdefault(unit, set()).update({unit_of(name) for name in getattr(imports, kind)} - {unit})
    return found


def test_the_table_has_every_module_and_no_other() -> None:
    assert sorted(TABLE) == sorted({unit_of(module) for module in FILES})


@pytest.mark.parametrize("unit", sorted(TABLE))
def test_a_module_imports_exactly_what_the_table_says(unit: str) -> None:
    imported = crossing("early")[unit]
    if unit in GROWING:
        assert imported <= TABLE[unit]
    else:
        assert imported == TABLE[unit]


@pytest.mark.parametrize("unit", sorted(TABLE))
def test_a_late_import_is_one_that_has_a_reason(unit: str) -> None:
    assert crossing("late").get(unit) == LATE.get(unit, set())


def test_a_line_of_the_table_names_only_lines_above_it() -> None:
    above: set[str] = set()
    for unit, imports in TABLE.items():
        assert imports <= above, unit
        above.add(unit)


def test_no_modules_import_one_another_in_a_circle_folders_included() -> None:
    # raises CycleError
    order = list(TopologicalSorter({module: imports.early for module, imports in IMPORTS.items()}).static_order())
    assert set(order) >= set(FILES)


@pytest.mark.parametrize("unit", sorted(APART))
def test_what_stands_apart_reaches_none_of_the_others_by_any_way(unit: str) -> None:
    reached: set[str] = set()
    pending = [unit]
    while pending:
        each = pending.pop()
        if each not in reached:
            reached.add(each)
            pending += TABLE[each]
    assert reached & APART[unit] == set()


@pytest.mark.parametrize("module", sorted(FILES))
def test_imports_are_absolute(module: str) -> None:
    assert not IMPORTS[module].relative


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_file_is_short_or_has_a_reason(module: str) -> None:
    lines = len(FILES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES or module in LONG
