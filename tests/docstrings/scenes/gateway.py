"""Gateways, and the handlers of Wippy's manner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from asgi_express import gateway
from asgi_express.gateway import http, reloading
from asgi_express.gateway.http._exchange import exchanging
from asgi_express.security import Actor
from tests.docstrings.examples import Example
from tests.docstrings.scene import Ask, Handled, Names, Scene

FILES = {
    "app.yaml": """\
version: "1.0"
namespace: app
entries:
  - {name: gateway, kind: http.service, addr: "127.0.0.1:8080"}
  - {name: admin, kind: http.service, addr: "127.0.0.1:9090"}
  - {name: api, kind: http.router, meta: {server: gateway}, prefix: /api}
  - {name: memory, kind: store.memory}
  - {name: tokens, kind: security.token_store, store: memory}
  - name: users
    kind: security.policy
    groups: users
    policy: {actions: access, resources: "app:*", effect: allow}
"""
}
PUBLIC = {name: getattr(gateway, name) for name in gateway.__all__}


def loaded() -> Names:
    made = gateway.load("app.yaml")
    return {**PUBLIC, "gateway": made, "service": made.services[0], "Actor": Actor, "http": http}


@dataclass(frozen=True, kw_only=True)
class Served(Scene):
    """A module with a gateway, its first service, and the names of the package."""

    names: Any = loaded
    files: Any = None

    def __post_init__(self) -> None:
        if self.files is None:
            object.__setattr__(self, "files", FILES)


@dataclass(frozen=True, kw_only=True)
class Wippy(Handled):
    """The body of a handler without arguments: ``req`` and ``res`` are those of ``http``."""

    async def _act(self, example: Example, names: Names) -> None:
        from asgi_express import Express

        app = Express(raise_errors=True)

        async def handler(req: Any, res: Any) -> None:
            with exchanging(req, res):
                names.update(req=http.request(), res=http.response(), http=http)
                await self._run(example, names)
                if not res.finished:
                    names["res"].finish()

        for path in ("/api/v1/users/:id", "/files/{filepath...}", "/"):
            app.all(path, handler)
        await self._asked(example).put(app, names)


SCENES: dict[str, Scene] = {}
