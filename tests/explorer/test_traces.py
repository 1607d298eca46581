"""What the explorer records of a request is what ``explain`` says of it beforehand, on any stack."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from asgi_express import Express
from asgi_express.explorer import explorer
from asgi_express.explorer._recorder import Recorder
from tests.asgi import ask
from tests.test_explain import Stack, requests, trees_of


def recorder_of(app: Express) -> Recorder:
    """Return where the walks of an app are recorded."""
    walk: Any = app._walk  # a partial of TracedWalk
    recorder = walk.args[0]
    assert isinstance(recorder, Recorder)
    return recorder


# Not "wrapped": a router inside of ASGI middleware walks by itself.
@settings(max_examples=300, deadline=None)
@given(trees_of("router", "express", "inline"), requests)
async def test_what_is_recorded_is_what_was_explained(items: list[Any], asked: list[tuple[str, str]]) -> None:
    stack = Stack()
    app = stack.fill(Express(env="development"), items)
    explorer(app)
    recorder = recorder_of(app)
    for method, target in asked:
        explanation = await app.explain(method, target)
        stack.seen.clear()
        version = recorder.version
        answer = await ask(app, target, method)
        trace = recorder.since(version)[-1]
        assert [(span.kind, span.name, span.path, span.depth) for span in trace.spans] == [
            (step.kind, step.name, step.path, step.depth)
            for step in explanation.steps
            if step.outcome != "other method"
        ]
        assert trace.status == answer.status
        timed = [span for span in trace.spans if span.kind not in ("router", "route")]
        assert len(timed) == len(stack.seen)
        assert trace.took is not None
        for span in timed:
            assert span.took is not None
            assert span.own is not None
            assert 0 <= span.own <= span.took <= trace.took


async def test_a_method_of_any_length_is_cut() -> None:
    app = Express(env="development")
    explorer(app)
    await ask(app, "/", "X" * 5000)
    (trace,) = recorder_of(app).since(0)
    assert trace.method == "X" * 32
