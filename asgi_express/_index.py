"""Which layers of a stack can match a path, in order, without asking each of them.

The layers stand in a tree of path segments. A segment of a pattern that is literal text is an edge of its own, folded
to lower case; one that captures is the edge ``any``. A wildcard, a regular expression or text that is not ASCII ends
what the tree knows: the layer then stands where it has come to. To look a path up is to walk its segments down the
tree, along both edges, and to collect what stands on the way. The answer may hold a layer that does not match after
all, for the pattern has the last word; it never lacks one that does (``tests/test_index.py`` compares it with the
linear scan).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from asgi_express._layer import Layer
from asgi_express._pattern import Pattern
from asgi_express._tokens import Param, Text, Wildcard

__all__ = ["Index"]

# Stands for a segment that captures. No path has a segment like this.
_ANY = "/"

# Segments deep; beyond it the patterns are asked. It also bounds how many ways ``any`` can branch.
_DEPTH = 8

# Up to so many layers that have something to match, asking each of them is as fast.
_SMALL = 4


class _Node:
    """A place in the tree.

    Attributes:
        edges: the nodes of the next segment, by its text.
        any: the node of a next segment that captures.
        whole: layers that match if the path ends here.
        below: layers that match this and perhaps anything below it.
    """

    __slots__ = ("any", "below", "edges", "whole")

    def __init__(self) -> None:
        self.edges: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.whole: list[int] = []
        self.below: list[int] = []

    def child(self, segment: str) -> _Node:
        """Return the node of a segment, a new one if need be."""
        if segment != _ANY:
            return self.edges.setdefault(segment, _Node())
        if self.any is None:
            self.any = _Node()
        return self.any


class Index:
    """The layers of a stack by the segments of their paths.

    Args:
        layers: the stack, as it is now; a stack that has changed needs another index.
    """

    __slots__ = ("_all", "_is_small", "_known", "_root", "size")

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.size = len(layers)
        self._all = tuple(range(self.size))
        self._root = _Node()
        # What was found for the paths that routes name in full: no more of them than there are routes.
        self._known: dict[str, Sequence[int] | None] = {}
        self._is_small = sum(layer.anywhere is None for layer in layers) <= _SMALL
        if not self._is_small:
            for number, layer in enumerate(layers):
                for pattern in layer.patterns:
                    self._add(number, pattern)

    def _add(self, number: int, pattern: Pattern) -> None:
        if pattern.literal is not None:
            self._known[pattern.literal] = None
        # A regular expression has no alternatives; use("/") matches everything, whatever its text.
        alternatives = pattern.alternatives if pattern.literal != "/" or pattern.end else ()
        for alternative in alternatives or ((),):
            segments, known = _segments(alternative)
            node = self._root
            for segment in segments[:_DEPTH]:
                node = node.child(segment)
            exact = known and pattern.end and bool(segments) and len(segments) <= _DEPTH
            place = node.whole if exact else node.below
            if not place or place[-1] != number:
                place.append(number)

    def find(self, path: str) -> Sequence[int]:
        """Return the numbers of the layers that can match a path, in order of registration.

        Args:
            path: percent-encoded, without the query.
        """
        found = self._known.get(path)
        if found is None:
            if self._is_small or not path.startswith("/"):
                return self._all
            found = self._search(path)
            if path in self._known:
                self._known[path] = found
        return found

    def _search(self, path: str) -> Sequence[int]:
        found: list[list[int]] = []
        _collect(self._root, path.lower().split("/", _DEPTH + 1), 1, found)
        return found[0] if len(found) == 1 else sorted(set(chain.from_iterable(found)))


def _collect(node: _Node, segments: Sequence[str], position: int, found: list[list[int]]) -> None:
    """Collect the layers on the way down the tree, from a node and a segment on; both ways where there are two."""
    last = len(segments) - 1
    while position <= last:
        if node.below:
            found.append(node.below)
        segment = segments[position]
        if not segment and position == last and node.whole:
            found.append(node.whole)  # the empty segment after a trailing slash, which most routes allow
        child, captured = node.edges.get(segment), node.any
        position += 1
        if child is None:
            if captured is None:
                return
            child = captured
        elif captured is not None:
            _collect(captured, segments, position, found)
        node = child
    if node.below:
        found.append(node.below)
    if node.whole:
        found.append(node.whole)


def _segments(alternative: Sequence[Text | Param | Wildcard]) -> tuple[list[str], bool]:
    """Return the edges of a sequence of tokens, and whether they tell all of it."""
    edges: list[str] = []
    current = ""
    for token in alternative:
        if isinstance(token, Text) and token.value.isascii():
            first, *others = token.value.lower().split("/")
            current = current if current == _ANY else current + first
            for other in others:
                edges.append(current)
                current = other
        elif isinstance(token, Param) and token.kind in ("str", "int", "float", "uuid"):
            current = _ANY
        else:
            return edges[1:], False
    edges.append(current)
    # What stands before the first slash is the empty text, or the pattern matches no path.
    return (edges[1:], True) if not edges[0] else ([], False)
