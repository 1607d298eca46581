"""The examples of the docstrings do not lie: each is run where it makes sense, and does what it says."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import asgi_express
from asgi_express import middleware, security, stores
from tests.docstrings.examples import DIAGRAMS, EXAMPLES, Example, examples_of
from tests.docstrings.running import claims, comments, execute
from tests.docstrings.scene import Handled, World
from tests.docstrings.scenes import SCENES, scene_of
from tests.stores.redis_server import running_redis
from tests.test_docstrings import CLASSES, documented_members

PROSE = {
    "body.urlencoded.urlencoded",
    "response.Response.jsonp",
    "response.Response.send_status",
    "router.Router.param",
    "sse.EventStream#2",
    "sse.EventStream.run",
}
"""Examples with a comment that is no claim; what these say is looked at by their scenes."""


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Give the address of a real Redis."""
    with running_redis() as server:
        yield server.url


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.place)
async def test_an_example_does_what_it_says(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    world = World(tmp_path, lambda: request.getfixturevalue("redis_url"), monkeypatch)
    await scene_of(example).play(example, world)


@pytest.mark.parametrize(
    "example", [example for example in EXAMPLES if not claims(example)], ids=lambda example: example.place
)
async def test_it_is_noticed_where_an_example_does_nothing(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """An example either says what comes out (``# -> value``), or its row in ``tests/docstrings/scenes`` looks."""
    world = World(tmp_path, lambda: request.getfixturevalue("redis_url"), monkeypatch)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever check it is that fails
        await replace(scene_of(example), swap={}, unreached=()).play(example._replace(source="pass\n"), world)


def test_every_scene_has_its_example_and_every_place_is_one() -> None:
    places = [example.place for example in EXAMPLES]
    assert set(SCENES) - set(places) == set()
    assert len(places) == len(set(places))


def test_a_comment_of_an_example_is_a_claim_or_known_to_be_prose() -> None:
    told = {
        example.place
        for example in EXAMPLES
        if any(not text.startswith("# -> ") for text in comments(example.source).values())
    }
    assert told == PROSE


@pytest.mark.parametrize("module", sorted(DIAGRAMS))
def test_what_counts_as_a_drawing_is_no_code(module: str) -> None:
    doc = importlib.import_module(f"asgi_express.{module}").__doc__
    (drawing,) = examples_of(doc or "")
    with pytest.raises(SyntaxError):
        compile(drawing.source, module, "exec")


def public_docstrings() -> Iterator[str]:
    """Give the docstrings that ``help()`` shows of what is public."""
    classes = list(CLASSES)
    for module in (asgi_express, middleware, security, stores):
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing):
                classes.append(thing)
            elif inspect.isfunction(thing):
                yield inspect.getdoc(thing) or ""
    for cls in classes:
        yield cls.__doc__ or ""
        for _, member in documented_members(cls):
            yield inspect.getdoc(member) or ""


def test_no_public_example_escapes() -> None:
    run = {example.source for example in EXAMPLES}
    shown = [example.source for doc in public_docstrings() for example in examples_of(doc)]
    assert len(shown) > 120
    assert [source for source in shown if source not in run] == []


# -- what runs the examples sees what is wrong with one


def example(source: str, **more: Any) -> Example:
    return Example("request.Request.path", source, **more)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        pytest.param(example("nobody.knows(this)\n"), NameError, "'nobody'", id="a name that is not there"),
        pytest.param(example("def later():\n    nobody()\n"), AssertionError, "nobody", id="one in a function"),
        pytest.param(example("def later():\n    return req\n"), AssertionError, "in line 1", id="what never runs"),
        pytest.param(example("req.path  # -> '/b'\n"), AssertionError, "it is '/', not '/b'", id="a claim"),
        pytest.param(example("path = req.path  # -> '/b'\n"), AssertionError, "not '/b'", id="a claim of a name"),
        pytest.param(example("if req:  # -> True\n    req.path\n"), AssertionError, "behind", id="a claim of nothing"),
        pytest.param(example("req.path\n", value="'/b'"), AssertionError, "not '/b'", id="a sentence"),
        pytest.param(example("await req.json()\n"), asgi_express.BodyError, "JSON|Expecting", id="it raises"),
        pytest.param(example("res.status(404)\n"), AssertionError, "404", id="an answer that nobody expects"),
    ],
)
async def test_a_wrong_example_fails(
    wrong: Example, error: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(error, match=words):
        await Handled().play(wrong, World(tmp_path, str, monkeypatch))


async def test_claims_are_compared_and_values_kept() -> None:
    names: dict[str, Any] = {}
    await execute("1 + 1  # -> 2\nname = [3]  # -> [3]\nname * 2\n", names, "here")
    assert names["values"] == [[3, 3]]
    assert claims(example("1 + 1  # -> 2\n", value="'x'")) == ["2", "'x'"]


def test_a_sentence_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(AssertionError, match="no sentence"):
        examples_of("Purpose.\n\nExample: do something with ``req``.")
