"""The scenes of the examples, by place. An example that checks itself, with ``# -> value``, may do without."""

from __future__ import annotations

from tests.docstrings.examples import Example
from tests.docstrings.scene import Handled, Matched, Scene
from tests.docstrings.scenes import (
    actions,
    applications,
    events,
    gateway,
    guards,
    processes,
    requests,
    responses,
    state,
    tokens,
    tools,
)

SCENES: dict[str, Scene] = {
    **actions.SCENES,
    **applications.SCENES,
    **gateway.SCENES,
    **events.SCENES,
    **guards.SCENES,
    **processes.SCENES,
    **requests.SCENES,
    **responses.SCENES,
    **state.SCENES,
    **tokens.SCENES,
    **tools.SCENES,
}

_DEFAULTS: dict[str, Scene] = {
    "_heading.": Handled(),
    "_incoming.": Handled(),
    "request.": Handled(),
    "response.": Handled(),
    "route.RouteMatch.": Matched(),
    "actions._raw.": actions.Acting(),
    "gateway.http._re": gateway.Wippy(),
    "gateway.process.": gateway.Running(),
    "gateway.": gateway.Served(),
    "processes.": processes.Among(),
}


def scene_of(example: Example) -> Scene:
    """Return where an example is run: its own scene, that of examples like it, or a fresh module."""
    like_it = (scene for start, scene in _DEFAULTS.items() if example.place.startswith(start))
    return SCENES.get(example.place) or next(like_it, Scene())
