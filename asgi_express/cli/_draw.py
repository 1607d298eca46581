"""The routes of an application as a table, a tree, and a graph in two languages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from asgi_express._outline import Branch
from asgi_express._routes import RouteInfo
from asgi_express._verbs import METHODS

__all__ = ["dot", "mermaid", "table", "tree", "words_for"]

_STYLES = {"GET": "green", "POST": "yellow", "PUT": "blue", "PATCH": "blue", "DELETE": "red", "ANY": "magenta"}
_ALL = frozenset(METHODS)
_ROUTES = ("route", "websocket", "app")


def words_for(methods: Sequence[str]) -> str:
    """Return methods in words; ``ANY`` where they are all that there are, as ``all()`` registers them."""
    if "*" in methods or set(methods) >= _ALL:
        return "ANY"
    return ", ".join(methods)


def _methods(info: RouteInfo) -> str:
    return "WEBSOCKET" if info.kind == "websocket" else words_for(info.methods)


def _style(info: RouteInfo) -> str:
    return _STYLES.get(_methods(info).partition(",")[0], "cyan")


def _short(name: str) -> str:
    """Return the last two parts of a dotted name: the module is in the source. One of a gateway is short as it is."""
    return name if ":" in name else ".".join(name.rsplit(".", 2)[-2:])


def table(infos: Iterable[RouteInfo]) -> Table:
    """Return a table, one line for each route."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("METHODS", "PATH", "NAME", "HANDLERS"):
        made.add_column(heading, overflow="fold")
    for info in infos:
        words = _methods(info) if info.kind in _ROUTES else info.kind
        handlers = " > ".join(map(_short, info.handlers))
        made.add_row(Text(words, style=_style(info)), Text(info.template), Text(info.name or ""), Text(handlers))
    return made


def tree(branches: Mapping[str, Branch], *, everything: bool) -> Tree:
    """Return a tree of routers, below the names of their targets."""
    root = Tree(Text(""), hide_root=True)
    pending = [(root.add(Text(f"{name} ({_short(branch.name)})", style="bold")), branch)
               for name, branch in branches.items()]  # fmt: skip
    while pending:
        place, branch = pending.pop()
        for item in branch.items:
            if isinstance(item, Branch):
                label = Text.assemble((item.prefix or "/", "bold"), f" ({_short(item.name)})")
                pending.append((place.add(label), item))
            elif item.kind in _ROUTES:
                place.add(Text.assemble((_methods(item), _style(item)), " ", item.template, (_named(item), "dim")))
            elif everything:
                place.add(Text(f"{item.kind} {' > '.join(map(_short, item.handlers))}", style="dim"))
        if branch.is_cut:
            place.add(Text("... and more", style="dim"))
    return root


def _named(info: RouteInfo) -> str:
    return f" ({info.name})" if info.name else ""


def _graph(branches: Mapping[str, Branch], *, everything: bool) -> Iterator[tuple[int, int | None, str, bool]]:
    """Give each node: its number, that of the one above it, its label, and whether it is a router."""
    count = 0
    pending: list[tuple[int | None, str, Branch]] = [(None, name, branch) for name, branch in branches.items()]
    for above, label, branch in pending:
        number = count
        count += 1
        yield number, above, label, True
        for item in branch.items:
            if isinstance(item, Branch):
                pending.append((number, item.prefix or "/", item))
            elif item.kind in _ROUTES or everything:
                words = f"{_methods(item)} {item.template}" if item.kind in _ROUTES else _aside(item)
                yield count, number, words, False
                count += 1


def _aside(info: RouteInfo) -> str:
    return f"{info.kind} {' > '.join(map(_short, info.handlers))}"


def mermaid(branches: Mapping[str, Branch], *, everything: bool) -> str:
    """Return a flowchart in Mermaid's language."""
    lines = ["flowchart LR"]
    for number, above, label, is_router in _graph(branches, everything=everything):
        text = label.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
        lines.append(f'  n{number}{"[[" if is_router else "["}"{text}"{"]]" if is_router else "]"}')
        if above is not None:
            lines.append(f"  n{above} --> n{number}")
    return "\n".join(lines)


def dot(branches: Mapping[str, Branch], *, everything: bool) -> str:
    """Return a graph in the language of Graphviz."""
    lines = ["digraph routes {", "  rankdir=LR", "  node [shape=box]"]
    for number, above, label, is_router in _graph(branches, everything=everything):
        text = json.dumps(label, ensure_ascii=False)
        lines.append(f"  n{number} [label={text}{', shape=folder' if is_router else ''}]")
        if above is not None:
            lines.append(f"  n{above} -> n{number}")
    return "\n".join([*lines, "}"])
