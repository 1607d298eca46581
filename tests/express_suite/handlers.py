"""Handlers that the tests of this folder share."""

from __future__ import annotations

from typing import Any


def passes(_req: Any, _res: Any, next: Any) -> None:
    next()


def shows_params(req: Any, res: Any) -> None:
    res.json(req.params)


def fails(words: str) -> Any:
    def fail(_req: Any, _res: Any) -> None:
        raise RuntimeError(words)

    return fail


def tells_error(err: Any, _req: Any, res: Any, _next: Any) -> None:
    res.status(500).send(f"saw {err}")


def hit(name: str) -> Any:
    return lambda req, res, next: (res.set(name, "hit"), next())[1]
