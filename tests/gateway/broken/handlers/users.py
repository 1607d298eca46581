"""Functions that the broken files name."""

from typing import Any

number = 7


def show(req: Any, res: Any) -> None:
    res.json({})


def show_all(req: Any, res: Any) -> None:
    res.json([])


def too_many(err: Any, req: Any, res: Any, next: Any) -> None:
    res.json({})
