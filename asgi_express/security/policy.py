"""Rules: who may do what with which thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from asgi_express.security._conditions import Condition, Facts
from asgi_express.security._expression import Expression
from asgi_express.security._wildcard import Wildcard

__all__ = ["Condition", "Policy"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule: it applies where action and resource fit and all conditions hold; then it allows or denies.

    Actions and resources are patterns: ``*`` stands for any run of characters, letter case counts. They cannot
    backtrack, whatever a client sends.

    Attributes:
        name: what audit records and ``explain`` call it.
        actions: patterns, one or several.
        resources: patterns, one or several.
        effect: ``"allow"`` or ``"deny"``.
        conditions: all must hold: :class:`Condition`, or mappings of ``field``, ``operator`` and ``value`` or
            ``value_from``.
        groups: the groups that it belongs to; see :class:`Policies`.
        expression: a condition as text, besides the others: ``actor.meta.role == "editor" && !(action in ["delete"])``.
            Fields, text, numbers, ``true``, ``false``, ``null`` and lists, compared with ``==``, ``!=``, ``<``, ``<=``,
            ``>``, ``>=``, ``in``, ``not in``, ``contains`` and ``matches`` (a pattern with ``*``), and joined with
            ``&&`` or ``and``, ``||`` or ``or``, ``!`` or ``not``, and parentheses. It is no Python, and calls nothing.

    Raises:
        TypeError: a condition has other keys, or an argument is of a wrong type.
        ValueError: a part is empty or unknown.

    Examples::

        Policy("readers", actions="read", resources="article:*")

        Policy(
            "no drafts",
            actions=["read", "list"],
            resources=["article:*"],
            effect="deny",
            conditions=[{"field": "meta.state", "operator": "eq", "value": "draft"}],
            groups=["public"],
        )
    """

    name: str
    actions: str | Sequence[str]
    resources: str | Sequence[str]
    effect: Literal["allow", "deny"] = "allow"
    conditions: Sequence[Condition | Mapping[str, Any]] = ()
    groups: str | Sequence[str] = ()
    expression: str | None = None
    _patterns: tuple[tuple[Wildcard, ...], tuple[Wildcard, ...]] = field(init=False, repr=False, compare=False)
    _conditions: tuple[Condition | Expression, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            msg = f"Policy: name must be text that is not empty, not {self.name!r}"
            raise ValueError(msg)
        if self.effect not in ("allow", "deny"):
            msg = f"Policy {self.name!r}: effect must be 'allow' or 'deny', not {self.effect!r}"
            raise ValueError(msg)
        for option in ("actions", "resources", "groups"):
            object.__setattr__(self, option, self._texts(option))
        conditions = tuple(each if isinstance(each, Condition) else Condition(**each) for each in self.conditions)
        object.__setattr__(self, "conditions", conditions)
        expressions = () if self.expression is None else (Expression(self.expression),)
        object.__setattr__(self, "_conditions", (*conditions, *expressions))
        object.__setattr__(self, "_patterns", (_compile(self.actions), _compile(self.resources)))

    def __hash__(self) -> int:
        return hash(self.name)

    def _texts(self, option: str) -> tuple[str, ...]:
        given = getattr(self, option)
        texts = (given,) if isinstance(given, str) else tuple(given)
        if not all(isinstance(text, str) and text for text in texts) or (not texts and option != "groups"):
            msg = f"Policy {self.name!r}: {option} must be texts that are not empty, not {given!r}"
            raise ValueError(msg)
        return texts

    def fits(self, action: str, resource: str) -> bool:
        """Tell whether it is about an action and a resource, whatever its conditions say.

        Example: ``Policy("readers", "read", "article:*").fits("read", "article:7")`` is ``True``.
        """
        actions, resources = self._patterns
        return _fits(actions, action) and _fits(resources, resource)

    @property
    def is_plain(self) -> bool:
        """Whether it applies to whatever it fits: it has no conditions.

        Example: ``Policy("readers", "read", "article:*").is_plain`` is ``True``.
        """
        return not self._conditions

    def holds(self, facts: Facts) -> bool:
        """Tell whether its conditions let it apply to what it fits. Not for programs."""
        for condition in self._conditions:
            holds = condition.holds(facts)
            if holds is False or (holds is None and self.effect == "allow"):
                return False
        return True


def _compile(patterns: Sequence[str]) -> tuple[Wildcard, ...]:
    return tuple(Wildcard(pattern) for pattern in patterns)


def _fits(patterns: tuple[Wildcard, ...], text: str) -> bool:
    return any(pattern.matches(text) for pattern in patterns)
