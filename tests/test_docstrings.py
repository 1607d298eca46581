"""What is public says how it is used."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import asgi_express
from asgi_express import Express, Request, Response, Route, Router, channels, luxure, middleware, security, stores
from asgi_express.actions import ActionRequest, Actions, RawRequest, Responder
from asgi_express.gateway import TLS, Gateway, Problem, Service, http
from asgi_express.security import TokenValidator
from asgi_express.sse import Event, EventStream
from asgi_express.stores import Store, StoreUnavailable

CLASSES: tuple[type, ...] = (
    *(Request, Response, Router, Express, Route, EventStream, Event),
    *(Actions, ActionRequest, RawRequest, Responder),
    *(Gateway, Service, TLS, Problem, http.Request, http.Response, http.File),
)
FUNCTIONS = [name for name in asgi_express.__all__ if inspect.isfunction(getattr(asgi_express, name))]


def documented_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Give the methods and properties of a class and of its bases that are ours, by name.

    Left out are the guards for camelCase names, the descriptors of the HTTP verbs, and plain data.
    """
    for name in dir(cls):
        if name.startswith("_") or name != name.lower():
            continue
        owner = next(base for base in cls.__mro__ if name in vars(base))
        member = vars(owner)[name]
        if isinstance(member, (classmethod, staticmethod)):
            member = member.__func__
        if owner.__module__.startswith("asgi_express") and (inspect.isfunction(member) or isinstance(member, property)):
            yield name, member


MEMBERS = [
    pytest.param(member, id=f"{cls.__name__}.{name}") for cls in CLASSES for name, member in documented_members(cls)
]


def test_every_class_has_members_to_look_at_but_the_event_which_is_data() -> None:
    assert [cls for cls in CLASSES if not any(documented_members(cls))] == [Event]


@pytest.mark.parametrize("member", MEMBERS)
def test_a_public_method_or_property_shows_an_example(member: Any) -> None:
    assert "Example" in (inspect.getdoc(member) or "")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_shows_an_example(name: str) -> None:
    assert "Example" in (inspect.getdoc(getattr(asgi_express, name)) or "")


# Protocols, and what programs are given but do not make.
WITHOUT: tuple[type, ...] = (
    *(Store, StoreUnavailable, TokenValidator, channels.BacklogFull, channels.Bus, channels.Context),
    *(channels.DeadLetter, channels.Delivery, channels.Message, channels.Outcome, channels.PublishErrors),
)
MODULES = (channels, luxure, middleware, security, stores)
PARTS = [getattr(module, name) for module in MODULES for name in module.__all__]
OF_THE_PARTS = [
    *(part for part in PARTS if inspect.isfunction(part)),
    *(part for part in PARTS if inspect.isclass(part) and part not in WITHOUT),
    *(member for part in PARTS if inspect.isclass(part) for _, member in documented_members(part)),
]


@pytest.mark.parametrize("part", OF_THE_PARTS, ids=lambda part: getattr(part, "fget", part).__qualname__)
def test_middleware_security_and_stores_show_examples_but_of_what_is_not_for_programs(part: Any) -> None:
    doc = inspect.getdoc(part) or ""
    assert "Example" in doc or "Not for programs." in doc


@pytest.mark.parametrize("cls", [Router, Express, Event, EventStream])
def test_a_class_that_users_make_or_are_given_to_send_with_shows_an_example(cls: type) -> None:
    assert "Example" in (inspect.getdoc(cls) or "")
