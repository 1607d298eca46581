"""A circuit breaker: when a server keeps failing, do not even ask."""

from __future__ import annotations

__all__ = ["Breaker"]


class Breaker:
    """Closed (every call goes) or open (none goes): failures in a row open it, one success closes it.

    Who finds it open has to see to it that somebody finds out when the server is back.

    Args:
        failures: how many in a row open it.
    """

    __slots__ = ("_count", "_failures")

    def __init__(self, *, failures: int) -> None:
        self._failures = failures
        self._count = 0

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self._count >= self._failures

    def failed(self) -> bool:
        """Note a failure; tell whether it opened the breaker."""
        self._count += 1
        return self._count == self._failures

    def succeeded(self) -> bool:
        """Note a success; tell whether it closed the breaker."""
        was_open = self.is_open
        self._count = 0
        return was_open
