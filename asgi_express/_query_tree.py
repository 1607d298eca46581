"""The tree that ``qs`` 6.17 builds of an extended query: lists with holes, and how two trees merge.

A JavaScript array may have holes and may turn into an object when it outgrows the array limit;
later values then go on counting where it stopped. A `Node` is either, told apart by ``is_list``.
"""

from __future__ import annotations

from typing import Final, TypeAlias, Union

__all__ = ["Node", "QueryValue", "Value", "join", "merge", "plain", "record", "wrap"]

QueryValue: TypeAlias = str | list["QueryValue"] | dict[str, "QueryValue"]
"""What an extended query holds: text, lists and dictionaries of them."""

Value: TypeAlias = Union[str, "Node"]

_NONE: Final = -1

# All integers of so many digits are exact in a double, so that JavaScript prints them as they were read.
_EXACT_DIGITS = 15


class Node:
    """A list or a record on its way.

    Attributes:
        items: what it holds; the keys of a list are its indices, as text.
        is_list: whether it is a list.
        length: of a list, one more than its highest index.
        overflow: of a record that was a list too long, its highest index; ``-1`` for others.
        conflict: of a node that was made because a text met a record, its highest index; else ``-1``.
    """

    __slots__ = ("conflict", "is_list", "items", "length", "overflow")

    def __init__(self, items: dict[str, Value], *, length: int = _NONE, overflow: int = _NONE) -> None:
        self.items = items
        self.is_list = length != _NONE
        self.length = length
        self.overflow = overflow
        self.conflict = _NONE

    def to_record(self) -> None:
        """Make a list a record with the same keys."""
        self.is_list = False

    def note(self, key: str) -> None:
        """Let the counting go on after a key that was set, if it is an index."""
        index = _index(key)
        if self.overflow != _NONE:
            self.overflow = max(self.overflow, index)
        if self.conflict != _NONE:
            self.conflict = max(self.conflict, index)


def _index(key: str) -> int:
    """Return the number that a key is in its shortest decimal form, ``-1`` for other keys."""
    if len(key) > _EXACT_DIGITS or not (key.isascii() and key.isdigit()):
        return _NONE
    return int(key) if key[0] != "0" or key == "0" else _NONE


def record(items: dict[str, Value]) -> Node:
    """Return a record."""
    return Node(items)


def _sequence(items: dict[str, Value], length: int, limit: int) -> Node:
    """Return a list, or if it is longer than the limit, the record that it turns into."""
    if length > limit:
        return Node(items, overflow=length - 1)
    return Node(items, length=length)


def join(values: list[str], limit: int) -> Value:
    """Return the value of a key that came as often as there are values."""
    if len(values) == 1:
        return values[0]
    return _sequence({str(index): value for index, value in enumerate(values)}, len(values), limit)


def wrap(chain: list[str], leaf: Value, limit: int) -> Value:
    """Return a leaf inside the containers that the segments of its key name, outermost first."""
    for segment in reversed(chain):
        leaf = _wrap_list(leaf, limit) if segment == "[]" else _wrap_key(segment, leaf, limit)
    return leaf


def _wrap_list(leaf: Value, limit: int) -> Node:
    if isinstance(leaf, Node) and (leaf.is_list or leaf.overflow != _NONE):
        return leaf  # one level is flattened, and an overflow stays what it is
    return _sequence({"0": leaf}, 1, limit)


def _wrap_key(segment: str, leaf: Value, limit: int) -> Node:
    bracketed = segment[0] == "[" and segment[-1] == "]"
    key = segment[1:-1] if bracketed else segment
    index = _index(key) if bracketed and key else _NONE
    if index != _NONE:
        if index < limit:
            return Node({key: leaf}, length=index + 1)
        return Node({key: leaf}, overflow=index)
    return record({} if key == "__proto__" else {key: leaf})


def merge(target: Value, source: Value, limit: int) -> Value:
    """Return the two as one; the nodes that are given are used for it."""
    if isinstance(source, str):
        return _merge_text(target, source, limit) if source else target
    if isinstance(target, str):
        return _prepend(target, source, limit)
    if target.is_list:
        if source.is_list:
            return _merge_lists(target, source, limit)
        target.to_record()
        if target.conflict != _NONE:
            target.conflict = target.length - 1
    return _merge_items(target, source, limit)


def _pair(first: Value, second: Value, limit: int) -> Node:
    return _sequence({"0": first, "1": second}, 2, limit)


def _merge_text(target: Value, text: str, limit: int) -> Value:
    if isinstance(target, str):
        return _pair(target, text, limit)
    if target.is_list:
        return _append(target, text, limit)
    highest = target.overflow if target.overflow != _NONE else target.conflict
    if highest == _NONE:
        pair = _pair(target, text, limit)
        if pair.is_list:
            pair.conflict = 1
        return pair
    key = str(highest + 1)
    target.items[key] = text
    if target.overflow != _NONE:
        target.overflow = highest + 1
    else:
        target.conflict = highest + 1
    return target


def _append(target: Node, text: str, limit: int) -> Node:
    is_full = len(target.items) >= limit
    target.items[str(target.length)] = text
    target.length += 1
    if is_full:
        _spill(target)
    return target


def _spill(target: Node) -> None:
    """Turn a list that is too long into a record that goes on counting."""
    target.to_record()
    target.overflow, target.conflict = target.length - 1, _NONE


def _prepend(text: str, source: Node, limit: int) -> Node:
    if source.is_list or source.overflow != _NONE:
        shifted = {str(int(key) + 1): value for key, value in source.items.items()}
        items: dict[str, Value] = {"0": text, **shifted}
        if source.overflow != _NONE:
            return Node(items, overflow=source.overflow + 1)
        return _sequence(items, source.length + 1, limit)
    return _pair(text, source, limit)


def _merge_lists(target: Node, source: Node, limit: int) -> Node:
    for key, item in source.items.items():
        present = target.items.get(key)
        if present is None:
            target.items[key] = item
            target.length = max(target.length, int(key) + 1)
        elif isinstance(present, Node) and isinstance(item, Node):
            target.items[key] = merge(present, item, limit)
        else:
            target.items[str(target.length)] = item
            target.length += 1
    if len(target.items) > limit:
        _spill(target)
    return target


def _merge_items(target: Node, source: Node, limit: int) -> Node:
    for key, value in source.items.items():
        present = target.items.get(key)
        target.items[key] = value if present is None else merge(present, value, limit)
        if source.overflow != _NONE and target.overflow == _NONE:
            target.overflow = max(source.overflow, *map(_index, target.items))
        target.note(key)
    return target


def plain(value: Value) -> QueryValue:
    """Return a value as text, lists without their holes, and dictionaries."""
    if isinstance(value, str):
        return value
    if value.is_list:
        return [plain(value.items[key]) for key in sorted(value.items, key=int)]
    return {key: plain(item) for key, item in value.items.items()}
