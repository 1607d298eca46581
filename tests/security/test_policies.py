"""Actors, conditions, policies, scopes: pure decisions."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express.security import (
    OPERATORS,
    Actor,
    Condition,
    Decision,
    Policies,
    Policy,
    Scope,
    acting,
    can,
    current_actor,
    is_public,
    public,
)
from asgi_express.security._values import freeze, thaw
from asgi_express.security._wildcard import Wildcard

ADA = Actor(
    "ada", {"role": "editor", "age": 36, "staff": True, "teams": ["compilers", "math"], "home": {"city": "London"}}
)


# -- wildcards


@given(st.text("ab*", max_size=12), st.text("ab", max_size=16))
def test_a_wildcard_is_what_a_regular_expression_would_be(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    assert Wildcard(pattern).matches(text) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("read", "read", True),
        ("read", "Read", False),
        ("read", "reader", False),
        ("*", "", True),
        ("a*a", "a", False),
        ("[a]?.", "[a]?.", True),
        ("a.c", "abc", False),
        ("a*", "a\nb", True),
    ],
)
def test_only_the_star_means_something(pattern: str, text: str, fits: bool) -> None:
    assert Wildcard(pattern).matches(text) is fits


def test_a_wildcard_that_would_make_fnmatch_backtrack_does_not() -> None:
    assert fnmatch.translate("*a" * 2)  # what it stands in for
    assert not Wildcard("*a" * 500 + "b").matches("a" * 100_000)


# -- actors


def test_an_actor_cannot_be_changed_nor_what_it_knows() -> None:
    meta: Any = {"teams": ["a"], "tags": {"x"}}
    actor = Actor("ada", meta)
    meta["teams"].append("b")
    assert actor.meta["teams"] == ("a",)
    assert actor.meta["tags"] == frozenset({"x"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        actor.id = "eve"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        actor.meta["role"] = "admin"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    assert len({actor, Actor("ada", meta)}) == 2
    assert thaw(freeze({"a": [1, {"b": (2,)}]})) == {"a": [1, {"b": [2]}]}


@pytest.mark.parametrize(("arguments", "error"), [(("",), ValueError), ((7,), TypeError), (("a", ["role"]), TypeError)])
def test_an_actor_has_an_id_and_a_mapping(arguments: Any, error: Any) -> None:
    with pytest.raises(error, match="Actor: "):
        Actor(*arguments)


# -- conditions


def outcome(condition: Condition, meta: dict[str, Any] | None = None) -> dict[str, bool]:
    """Tell whether a policy of each effect applies."""
    asked = (ADA, "read", "article:7", meta or {})
    return {
        "allow": Scope([Policy("p", "*", "*", "allow", [condition])]).evaluate(*asked) == "allow",
        "deny": Scope([Policy("p", "*", "*", "deny", [condition])]).evaluate(*asked) == "deny",
    }


HOLDS = {"allow": True, "deny": True}
FAILS = {"allow": False, "deny": False}
AGAINST = {"allow": False, "deny": True}
"""What cannot be compared: nothing is allowed by it, and what it denies is denied."""

OPERATIONS: list[tuple[str, str, Any, dict[str, bool]]] = [
    ("actor.id", "eq", "ada", HOLDS),
    ("actor.id", "eq", "Ada", FAILS),
    ("action", "eq", "read", HOLDS),
    ("resource", "eq", "article:7", HOLDS),
    ("actor.meta.home.city", "eq", "London", HOLDS),
    ("actor.meta.teams", "eq", ["compilers", "math"], HOLDS),
    ("actor.meta.staff", "eq", True, HOLDS),
    ("actor.meta.staff", "eq", 1, FAILS),
    ("actor.meta.age", "eq", 36.0, HOLDS),
    ("actor.meta.none", "eq", None, FAILS),
    ("actor.meta.role", "ne", "admin", HOLDS),
    ("actor.meta.role", "ne", "editor", FAILS),
    ("actor.meta.none", "ne", "admin", HOLDS),
    ("actor.meta.age", "lt", 37, HOLDS),
    ("actor.meta.age", "lt", 36, FAILS),
    ("actor.meta.age", "lte", 36, HOLDS),
    ("actor.meta.age", "gt", 35.5, HOLDS),
    ("actor.meta.age", "gt", 36, FAILS),
    ("actor.meta.age", "gte", 36, HOLDS),
    ("actor.meta.age", "gte", 37, FAILS),
    ("actor.meta.role", "gt", "a", HOLDS),
    ("actor.meta.none", "lt", 5, FAILS),
    ("actor.meta.role", "lt", 5, AGAINST),
    ("actor.meta.age", "lt", "5", AGAINST),
    ("actor.meta.staff", "lt", 5, AGAINST),
    ("actor.meta.teams", "gte", 5, AGAINST),
    ("actor.meta.role", "in", ["editor", "admin"], HOLDS),
    ("actor.meta.role", "in", {"editor"}, HOLDS),
    ("actor.meta.role", "in", ["admin"], FAILS),
    ("actor.meta.staff", "in", [1], FAILS),
    ("actor.meta.none", "in", ["admin"], FAILS),
    ("actor.meta.role", "nin", ["admin"], HOLDS),
    ("actor.meta.role", "nin", ["editor"], FAILS),
    ("actor.meta.none", "nin", ["admin"], HOLDS),
    ("actor.meta.teams", "contains", "math", HOLDS),
    ("actor.meta.teams", "contains", "mat", FAILS),
    ("actor.meta.role", "contains", "dit", HOLDS),
    ("actor.meta.role", "contains", 7, AGAINST),
    ("actor.meta.age", "contains", 3, AGAINST),
    ("actor.meta.none", "contains", 3, FAILS),
    ("actor.meta.teams", "ncontains", "law", HOLDS),
    ("actor.meta.teams", "ncontains", "math", FAILS),
    ("actor.meta.none", "ncontains", "math", HOLDS),
    ("actor.meta.role", "matches", "ed*r", HOLDS),
    ("actor.meta.role", "matches", "ed", FAILS),
    ("actor.meta.age", "matches", "3*", AGAINST),
    ("actor.meta.role", "nmatches", "ad*", HOLDS),
    ("actor.meta.role", "nmatches", "ed*", FAILS),
    ("actor.meta.age", "nmatches", "3*", AGAINST),
    ("actor.meta.none", "nmatches", "3*", HOLDS),
]


@pytest.mark.parametrize(("field", "operator", "value", "expected"), OPERATIONS)
def test_an_operator_compares(field: str, operator: str, value: Any, expected: dict[str, bool]) -> None:
    assert outcome(Condition(field, operator, value)) == expected


@pytest.mark.parametrize(
    ("field", "operator", "expected"),
    [
        ("actor.meta.role", "exists", HOLDS),
        ("actor.meta.home.city", "exists", HOLDS),
        ("actor.meta.role.name", "exists", FAILS),
        ("meta.role", "nexists", HOLDS),
        ("actor.meta.role", "nexists", FAILS),
    ],
)
def test_presence_takes_no_value(field: str, operator: str, expected: dict[str, bool]) -> None:
    assert outcome(Condition(field, operator)) == expected


def test_there_are_fourteen_operators_and_each_is_in_these_tables() -> None:
    assert len(OPERATORS) == 14
    assert {row[1] for row in OPERATIONS} | {"exists", "nexists"} == OPERATORS


@pytest.mark.parametrize(
    ("operator", "meta", "expected"),
    [
        ("eq", {"owner": "ada"}, HOLDS),
        ("eq", {"owner": "eve"}, FAILS),
        ("eq", {}, AGAINST),
        ("ne", {}, AGAINST),
        ("in", {"owner": ["ada"]}, HOLDS),
        ("in", {"owner": "adamant"}, AGAINST),
        ("matches", {"owner": "a*"}, HOLDS),
        ("matches", {"owner": 7}, AGAINST),
    ],
)
def test_a_value_can_come_from_another_field(operator: str, meta: dict[str, Any], expected: Any) -> None:
    assert outcome(Condition("actor.id", operator, value_from="meta.owner"), meta) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("actor", "eq", 1), "a field is"),
        (("actor.name", "eq", 1), "a field is"),
        (("meta.", "eq", 1), "a field is"),
        (("meta.a..b", "eq", 1), "a field is"),
        ((7, "eq", 1), "a field is"),
        (("actor.id", "EQ", 1), "operator must be one of"),
        (("actor.id", "eq"), "takes one of value and value_from"),
        (("actor.id", "eq", 1, "action"), "takes one of value and value_from"),
        (
            (
                "actor.id",
                "eq",
                *(),
            ),
            "takes one of",
        ),
        (("actor.id", "exists", 1), "takes neither"),
        (("actor.id", "in", "ada"), "takes a list"),
        (("actor.id", "nin", 7), "takes a list"),
        (("meta.age", "lt", True), "takes a number or text"),
        (("meta.age", "gte", [1]), "takes a number or text"),
        (("actor.id", "matches", 7), "not a regular expression"),
        (("actor.id", "matches", "^a"), "not a regular expression"),
        (("actor.id", "nmatches", "a$"), "not a regular expression"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(arguments: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Condition(*arguments)


def test_the_other_field_is_checked_too() -> None:
    with pytest.raises(ValueError, match="a field is"):
        Condition("actor.id", "eq", value_from="owner")


# -- policies


def test_all_conditions_must_hold() -> None:
    editor = {"field": "actor.meta.role", "operator": "eq", "value": "editor"}
    own = {"field": "meta.owner", "operator": "eq", "value_from": "actor.id"}
    scope = Scope([Policy("own", "update", "article:*", conditions=[editor, own])])
    assert scope.evaluate(ADA, "update", "article:7", {"owner": "ada"}) == "allow"
    assert scope.evaluate(ADA, "update", "article:7", {"owner": "eve"}) == "undefined"
    assert scope.evaluate(ADA, "delete", "article:7", {"owner": "ada"}) == "undefined"
    assert scope.evaluate(ADA, "update", "draft:7", {"owner": "ada"}) == "undefined"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": ""}, ValueError),
        ({"name": 7}, ValueError),
        ({"actions": ()}, ValueError),
        ({"actions": [""]}, ValueError),
        ({"resources": [7]}, ValueError),
        ({"groups": [""]}, ValueError),
        ({"effect": "Deny"}, ValueError),
        ({"conditions": [{"field": "action", "op": "eq", "value": 1}]}, TypeError),
    ],
)
def test_a_policy_that_cannot_be_is_refused(options: Any, error: Any) -> None:
    with pytest.raises(error):
        Policy(**{"name": "p", "actions": "*", "resources": "*", **options})


# -- scopes

READ = Policy("read", ["read", "list"], "*", groups=["users", "staff"])
WRITE = Policy("write", "update", ["article:*"], groups="staff")
NO_DRAFTS = Policy("no drafts", "*", "draft:*", "deny", groups=("users",))


@given(st.permutations([READ, WRITE, NO_DRAFTS, Policy("all", "*", "*")]))
def test_any_deny_wins_whatever_the_order(policies: list[Policy]) -> None:
    scope = Scope(policies)
    assert scope.decide(ADA, "read", "draft:1") == Decision("deny", "no drafts")
    assert scope.evaluate(ADA, "read", "article:1") == "allow"


def test_the_first_that_decides_is_named() -> None:
    scope = Scope([READ, Policy("again", "read", "*"), NO_DRAFTS, Policy("later", "*", "draft:*", "deny")])
    assert scope.decide(ADA, "list", "article:1") == ("allow", "read")
    assert scope.decide(ADA, "list", "draft:1") == ("deny", "no drafts")
    assert scope.decide(ADA, "burn", "article:1") == ("undefined", None)
    assert Scope().evaluate(ADA, "read", "x") == "undefined"


def test_a_scope_cannot_be_changed_only_made_again() -> None:
    scope = Scope([READ])
    more = scope.with_(WRITE, NO_DRAFTS)
    assert ([policy.name for policy in scope], len(more)) == (["read"], 3)
    assert more.without("write", "no drafts") == scope
    assert hash(scope) == hash(Scope([READ, READ]))
    assert scope != [READ]
    assert ("read" in more, "burn" in more) == (True, False)
    assert (repr(more), repr(Scope())) == ("<Scope read, write, no drafts>", "<Scope without policies>")
    with pytest.raises(LookupError, match="there is no policy 'burn'"):
        more.without("burn")
    with pytest.raises(ValueError, match="two different policies are named 'read'"):
        scope.with_(Policy("read", "*", "*", "deny"))
    with pytest.raises(AttributeError):
        scope.more = 1  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_group_is_a_named_scope() -> None:
    policies = Policies([READ, WRITE, NO_DRAFTS])
    assert policies.groups == ("users", "staff")
    assert policies.scope("users") == Scope([READ, NO_DRAFTS])
    assert policies.scope("users", "staff") == Scope([READ, NO_DRAFTS, WRITE])
    assert policies.scope() == Scope()
    assert policies["write"] is WRITE
    with pytest.raises(LookupError, match="no policy is in a group 'admins'"):
        policies.scope("users", "admins")
    with pytest.raises(ValueError, match="two different"):
        Policies([READ, Policy("read", "x", "y")])
    assert len({READ, WRITE, READ}) == 2


def naive(scope: Scope, action: str, resource: str, meta: Any) -> Decision:
    """Decide as the documentation says it: every policy, one by one, and nothing remembered."""
    applying = []
    for policy in scope:
        fits = any(Wildcard(each).matches(action) for each in policy.actions)
        fits = fits and any(Wildcard(each).matches(resource) for each in policy.resources)
        states = [each.value for each in policy.conditions if isinstance(each, Condition)]
        if fits and all(meta.get("state") == state for state in states):
            applying.append(policy)
    denying = [policy.name for policy in applying if policy.effect == "deny"]
    if denying:
        return Decision("deny", denying[0])
    return Decision("allow", applying[0].name) if applying else Decision("undefined", None)


WORDS = st.sampled_from(["read", "r*", "*", "write"])
RULES = st.lists(
    st.builds(
        lambda actions, resources, effect, state: (actions, resources, effect, state),
        WORDS,
        WORDS,
        st.sampled_from(["allow", "deny"]),
        st.sampled_from(["", "", "draft", "final"]),
    ),
    max_size=6,
)
ASKED = st.tuples(
    st.sampled_from(["read", "write", "burn"]), st.sampled_from(["read", "rest", "x"]), st.sampled_from(["", "draft"])
)


@given(RULES, st.lists(ASKED, max_size=12))
def test_what_is_remembered_is_what_every_policy_says_one_by_one(rules: Any, asked: Any) -> None:
    scope = Scope(
        Policy(str(index), actions, resources, effect, [Condition("meta.state", "eq", state)] if state else [])
        for index, (actions, resources, effect, state) in enumerate(rules)
    )
    for action, resource, state in [*asked, *reversed(asked)]:
        expected = naive(scope, action, resource, {"state": state})
        assert scope.decide(ADA, action, resource, {"state": state}) == expected
        settled = scope.settled(action, resource)
        depends = any(policy.conditions for policy in scope if policy.fits(action, resource))
        assert settled == (None if depends else expected)


def test_what_a_scope_remembers_is_bounded_whatever_it_is_asked() -> None:
    scope = Scope([READ, NO_DRAFTS])
    for number in range(2000):
        assert scope.evaluate(ADA, "read", f"article:{number}") == "allow"
        assert scope.evaluate(ADA, "read", f"draft:{number}") == "deny"
    assert 0 < len(scope._known) <= 512
    scope._known.clear()
    assert scope.evaluate(ADA, "read", "draft:" + "x" * 300) == "deny"
    assert len(scope._known) == 0


def test_the_scope_of_groups_is_made_once_and_so_many_are_kept() -> None:
    policies = Policies([READ, WRITE])
    assert policies.scope("users") is policies.scope("users")
    for number in range(1, 200):
        assert policies.scope(*["users"] * number) == Scope([READ])
    assert len(policies._scopes) <= 64


# -- the context


def test_can_asks_for_the_actor_of_the_context() -> None:
    assert not can("read", "article:1")
    with acting(ADA, Scope([READ, NO_DRAFTS])):
        assert (current_actor(), can("read", "article:1"), can("read", "draft:1")) == (ADA, True, False)
        with acting(ADA, None):
            assert not can("read", "article:1")
        with acting(None, Scope([READ])):
            assert not can("read", "article:1")
        own = Policy("own", "*", "*", conditions=[Condition("meta.owner", "eq", value_from="actor.id")])
        with acting(ADA, Scope([own])):
            assert (can("x", "y", {"owner": "ada"}), can("x", "y", {"owner": "eve"})) == (True, False)
        assert can("list", "article:1")
    assert current_actor() is None


def test_the_actor_before_is_back_after_an_error() -> None:
    with pytest.raises(LookupError), acting(ADA, None):
        raise LookupError
    assert current_actor() is None


def test_an_endpoint_can_be_marked_as_public() -> None:
    @public
    def health() -> str:
        return "ok"

    assert (is_public(health), is_public(test_an_endpoint_can_be_marked_as_public), health()) == (True, False, "ok")


def test_a_class_made_from_a_public_one_is_not_public() -> None:
    @public
    class Health:
        def show(self) -> None: ...

    class Admin(Health):
        pass

    assert (is_public(Health), is_public(Health()), is_public(Admin), is_public(Admin())) == (True, True, False, False)
    assert is_public(public(Admin())) is True
    assert is_public(Health().show) is False


@pytest.mark.parametrize("make", [Scope, Policies])
def test_what_is_no_policy_is_refused(make: Any) -> None:
    with pytest.raises(TypeError, match="policies must be Policy objects, not 'readers'"):
        make(["readers"])
