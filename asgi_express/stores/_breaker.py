"""A circuit breaker: when a server keeps failing, do not even ask, but try once in a while."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Breaker"]


class Breaker:
    """Closed (every call goes), or open (none goes, but one probe each ``probe_every`` seconds).

    A probe that is abandoned, because its caller was cancelled, needs no care: the next one goes when its time comes.

    Args:
        failures: how many failures in a row open it.
        probe_every: seconds between two probes.
        clock: seconds.
    """

    __slots__ = ("_clock", "_count", "_failures", "_next_probe", "_probe_every")

    def __init__(self, *, failures: int, probe_every: float, clock: Callable[[], float]) -> None:
        self._failures = failures
        self._probe_every = probe_every
        self._clock = clock
        self._count = 0
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self._count >= self._failures

    def allow(self) -> bool:
        """Tell whether a call may go."""
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._next_probe:
            return False
        self._next_probe = now + self._probe_every
        return True

    def failed(self) -> bool:
        """Note a failure; tell whether it opened the breaker."""
        self._count += 1
        self._next_probe = self._clock() + self._probe_every
        return self._count == self._failures

    def succeeded(self) -> bool:
        """Note a success; tell whether it closed the breaker."""
        was_open = self.is_open
        self._count = 0
        return was_open
