"""The index gives every layer that a linear scan finds, in the same order, and few that it does not."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_express import PathError, Router, _index
from asgi_express._index import Index
from asgi_express._layer import Layer
from asgi_express.errors import DecodeError
from tests.asgi import ask

WORDS = ["a", "b", "A", "api", "v1", "x-y", "%20", "é", "a.b", "", "7", "%C3%A9"]
PIECES = [
    *WORDS, ":p", ":q", "a:p", ":p-:q", ":p.x", "{id}", "{n:int}", "{u:uuid}", "*w", "{r...}", "{s:path}", "{a}b",
    "x{y}",
]  # fmt: skip
WHOLE: list[Any] = [
    "/", "", "*", "*all", re.compile("a"), re.compile("^/(a+)/"), "{/a}", "{/:p}/b", "{/:p}{/b}", ["/", "/a"],
]  # fmt: skip

pieces = st.lists(st.sampled_from(PIECES), min_size=1, max_size=10).map(lambda parts: "/" + "/".join(parts))
groups = st.tuples(pieces, pieces).map(lambda two: f"{two[0]}{{{two[1]}}}")
paths = st.one_of(pieces, pieces.map(lambda path: path + "/"), groups, st.sampled_from(WHOLE))
targets = st.lists(st.sampled_from(WORDS), min_size=0, max_size=11).map(lambda parts: "/" + "/".join(parts))


def layers_of(chosen: list[tuple[Any, bool, bool, bool]]) -> list[Layer]:
    layers = []
    for path, end, strict, case_sensitive in chosen:
        try:
            layers.append(Layer(path, end=end, strict=strict, case_sensitive=case_sensitive))
        except PathError:
            continue  # two captures side by side, or a name twice: not what is tested here
    return layers


def scan(layers: list[Layer], path: str) -> list[int]:
    found = []
    for number, layer in enumerate(layers):
        try:
            if layer.match(path) is not None:
                found.append(number)
        except DecodeError:
            found.append(number)
    return found


# 700 stacks with 30 paths each: 21,000 comparisons.
@settings(max_examples=700, deadline=None)
@given(
    st.lists(st.tuples(paths, st.booleans(), st.booleans(), st.booleans()), min_size=5, max_size=25),
    st.lists(targets, min_size=30, max_size=30),
)
def test_the_index_finds_what_the_linear_scan_finds_in_the_same_order(
    chosen: list[tuple[Any, bool, bool, bool]], asked: list[str]
) -> None:
    layers = layers_of(chosen)
    index = Index(layers)
    for path in [*asked, "*", "http://host/a", "//", "/a//", "/A/B/"]:
        found = list(index.find(path))
        assert found == sorted(set(found))
        assert set(scan(layers, path)) <= set(found)
        right = [number for number in found if number in scan(layers, path)]
        assert right == scan(layers, path)


@pytest.mark.parametrize("shape", ["/r{}", "/api/v1/r{}", "/:org/r{}", "/api/:id/r{}/x", "/r{}/:id", "/R{}/*rest"])
def test_among_ten_thousand_routes_few_are_asked(shape: str) -> None:
    layers = [Layer(shape.replace("{}", str(number)), end=True) for number in range(10_000)]
    index = Index(layers)
    for number in (0, 5000, 9999):
        path = re.sub(r":\w+", "val", shape.replace("{}", str(number))).replace("*rest", "a/b")
        assert list(index.find(path)) == [number]
        assert scan([layers[number]], path) == [0]
    assert list(index.find("/none/of/them")) == []


async def test_layers_that_a_handler_adds_after_itself_are_walked_too() -> None:
    router = Router()

    def grows(req: Any, res: Any, next: Any) -> None:
        router.use(lambda req, res: res.send("grown"))
        next()

    router.get("/", grows)
    assert (await ask(router)).text == "grown"


async def test_a_rewrite_goes_on_from_where_it_was_made() -> None:
    router = Router()
    order: list[int] = []

    def marks(number: int) -> Any:
        return lambda req, res, next: (order.append(number), next())[1]

    for number in range(10):
        router.get(f"/{'a' if number % 2 else 'b'}", marks(number))
        if number == 4:
            router.use(lambda req, res, next: (setattr(req, "url", "/a"), next())[1])
    router.use(lambda: "end")
    assert (await ask(router, "/b")).text == "end"
    assert order == [0, 2, 4, 5, 7, 9]


def test_every_stack_is_walked_right_whatever_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_index, "_SMALL", 0)
    shuffled = random.Random(7)
    for _ in range(300):
        chosen = [(shuffled.choice(WHOLE), shuffled.random() < 0.5, False, False) for _ in range(3)]
        layers = layers_of(chosen)
        for path in ("/", "/a", "/b", "/a/b", "//", "/a/"):
            assert set(scan(layers, path)) <= set(Index(layers).find(path))
