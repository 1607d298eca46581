"""What people look with: explanations, the explorer."""

from __future__ import annotations

from typing import Any

from tests.docstrings.scene import Ask, Scene


def require_admin(req: Any, res: Any) -> None:
    res.status(403).send("admins only")


SCENES: dict[str, Scene] = {
    "router.Router.explain": Scene(names=lambda: {"show": lambda: "shown"}),
    "explorer._explorer.explorer#1": Scene(
        asks=[Ask("GET /_explorer", headers={"host": "localhost"}, sends={"cache-control": "no-store"})]
    ),
    "explorer._explorer.explorer#2": Scene(
        names=lambda: {"require_admin": require_admin}, asks=[Ask("GET /_explorer", "admins only", 403)]
    ),
}
