"""References between entries: each leads to an entry of a kind that fits, and none leads back."""

from __future__ import annotations

from collections.abc import Iterator

from asgi_express.gateway._problems import Wrong, closest, listed
from asgi_express.gateway._registry import Registry

__all__ = ["check_references"]


def check_references(registry: Registry) -> None:
    """Note references that lead nowhere, to the wrong kind, or in a circle."""
    _follow(registry)
    _check_cycles(registry)


def _follow(registry: Registry) -> None:
    for entry in registry.all():
        for wanted, kinds, node in entry.references:
            target = registry.entries.get(wanted)
            if target is None:
                fitting = [each.id for each in (registry.of_kind(*kinds) if kinds else registry.entries.values())]
                short = [name.removeprefix(entry.namespace + ":") for name in fitting]
                advice = closest(wanted, fitting) or closest(str(node.value), short)
                advice = advice or f"there are {listed(sorted(short))}"
                code, message = "unknown-reference", f"there is no entry {wanted!r}"
            elif kinds and target.kind.name not in kinds:
                advice = f"expected {' or '.join(kinds)}"
                code, message = "wrong-reference", f"{wanted!r} is of the kind {target.kind.name}"
            else:
                continue
            registry.wrong(entry, "", Wrong(message, suggestion=advice, code=code, line=node.line))


def _check_cycles(registry: Registry) -> None:
    """Find entries that wait for one another: what they need must be there before them."""
    done: set[str] = set()
    for start in registry.entries:
        path: list[str] = []
        trail: list[Iterator[str]] = [iter((start,))]
        while trail:
            identity = next(trail[-1], None)
            if identity is None:
                trail.pop()
                if path:
                    done.add(path.pop())
            elif identity in path:
                around = [*path[path.index(identity) :], identity]
                entry = registry.entries[around[-2]]
                message = f"entries wait for one another: {' → '.join(around)}"
                registry.add(entry, "lifecycle.depends_on", "cycle", message, "take one of the references out")
            elif identity not in done and identity in registry.entries:
                path.append(identity)
                trail.append(iter([wanted for wanted, _, _ in registry.entries[identity].references]))
