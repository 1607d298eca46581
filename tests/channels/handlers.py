"""What the mapping of a test names."""

from typing import Any

LIMIT = 10


def get_user(number: int) -> dict[str, int]:
    return {"id": number}


async def save_user(user: Any) -> str:
    return f"saved {user}"


def is_small(number: int) -> bool:
    return number < LIMIT


class Store:
    @staticmethod
    def delete(number: int) -> str:
        return f"deleted {number}"
