"""Subscriptions by channel: a tree of which no part stays without subscribers."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

from asgi_express.channels._subscription import Subscription

__all__ = ["Tree"]


class _Node:
    __slots__ = ("children", "subscriptions")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.subscriptions: list[Subscription] = []


class Tree:
    """The subscriptions of all channels."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, subscription: Subscription) -> None:
        """Put a subscription where its order says."""
        node = self._root
        for part in subscription.path:
            node = node.children.setdefault(part, _Node())
        insort(node.subscriptions, subscription, key=lambda each: each.order)

    def move(self, subscription: Subscription) -> None:
        """Put a subscription that is there where its order says now."""
        nodes = self._nodes(subscription.path)
        nodes[-1].subscriptions.sort(key=lambda each: each.order)

    def remove(self, subscription: Subscription) -> None:
        """Take a subscription out, and the channels that nobody listens on any more."""
        nodes = self._nodes(subscription.path)
        nodes[-1].subscriptions.remove(subscription)
        for depth in range(len(subscription.path), 0, -1):
            if nodes[depth].subscriptions or nodes[depth].children:
                break
            del nodes[depth - 1].children[subscription.path[depth - 1]]

    def lineage(self, path: Sequence[str]) -> list[Subscription]:
        """Return who is called for a channel, in order: its own, then each parent's, as of now."""
        return [each for node in reversed(self._nodes(path)) for each in node.subscriptions]

    def _nodes(self, path: Sequence[str]) -> list[_Node]:
        """Return the nodes on a path, the root first, as far as there are any: a long path costs no more."""
        nodes = [self._root]
        for part in path:
            node = nodes[-1].children.get(part)
            if node is None:
                break
            nodes.append(node)
        return nodes
