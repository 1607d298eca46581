"""What is wrong with the files of a gateway: every fault at once, each with its place and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from asgi_express.errors import ExpressError

__all__ = ["CODES", "GatewayError", "Problem", "Problems", "Wrong", "closest", "listed"]

CODES = {
    "cycle": "entries that wait for one another",
    "duplicate-entry": "two entries of one ID",
    "duplicate-key": "a key that stands twice in one mapping",
    "duplicate-option": "one option, or one middleware, written twice",
    "duplicate-route": "two endpoints for one method and path, or two mounts of one prefix",
    "environment": "a variable that has no value and no default",
    "missing-field": "a field or an option that is required",
    "missing-file": "a file or a directory that is not there",
    "missing-function": "a module that cannot be imported, or has no such function",
    "unknown-field": "a field that the kind does not have",
    "unknown-kind": "a kind that there is not",
    "unknown-middleware": "a middleware that nobody has registered",
    "unknown-option": "an option that no middleware of the entry has",
    "unknown-reference": "a reference to an entry that there is not",
    "unreachable-route": "an endpoint whose requests go elsewhere",
    "unsafe": "a combination that does not protect what it seems to",
    "wrong-reference": "a reference to an entry of another kind",
    "wrong-value": "a value that the field cannot have",
    "yaml": "text that is not the YAML that is read here",
}
"""The codes of problems, and what each is about."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault.

    Attributes:
        code: what kind of fault, one of :data:`CODES`.
        message: what is wrong, in words.
        file: the file, as it was given.
        line: the line in it, from 1.
        entry: the ID of the entry, where it is in one.
        suggestion: what was meant, or what to do.

    Example::

        problem = Problem("unknown-field", "there is no field 'prefx'", "app.yaml", 12, "app:api")
        str(problem)  # -> "app.yaml:12: app:api: there is no field 'prefx'"
    """

    code: str
    message: str
    file: str
    line: int
    entry: str | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        entry = f" {self.entry}:" if self.entry else ""
        advice = f"; {self.suggestion}" if self.suggestion else ""
        return f"{self.file}:{self.line}:{entry} {self.message}{advice}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can write it.

        Example: ``Problem("yaml", "torn", "app.yaml", 1).to_dict()["line"]`` is ``1``.
        """
        return asdict(self)


class GatewayError(ExpressError, ValueError):
    """Files that cannot be served. It holds every fault that was found, not only the first.

    Attributes:
        problems: the faults, in the order of files and lines.
        seen: the files that were read, and what each looked like: a change of these may mend it.

    Example::

        GatewayError([Problem("yaml", "torn", "app.yaml", 1)]).problems[0].line  # -> 1
    """

    def __init__(self, problems: Iterable[Problem], seen: Mapping[Path, Any] | None = None) -> None:
        self.problems = tuple(problems)
        self.seen = dict(seen or {})
        count = len(self.problems)
        head = f"{count} problem{'s' if count != 1 else ''} in the gateway's files"
        super().__init__("\n  ".join((head + ":", *map(str, self.problems))))


class Wrong(Exception):
    """A value cannot be read. Whoever knows the place makes a :class:`Problem` of it."""

    def __init__(
        self, message: str, *, suggestion: str | None = None, code: str = "wrong-value", line: int = 0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion
        self.code = code
        self.line = line


class Problems:
    """The faults that were found so far."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._found, key=lambda problem: (problem.file, problem.line)))

    def add(
        self, code: str, message: str, *, file: str, line: int, entry: str | None = None, suggestion: str | None = None
    ) -> None:
        """Note a fault; the same one is noted once."""
        self._found[Problem(code, message, file, max(line, 1), entry, suggestion)] = None

    def wrong(self, error: Wrong, *, file: str, line: int, entry: str | None = None) -> None:
        """Note a value that cannot be read."""
        self.add(
            error.code, error.message, file=file, line=error.line or line, entry=entry, suggestion=error.suggestion
        )


def closest(word: str, words: Iterable[str], *, otherwise: str | None = None) -> str | None:
    """Return advice that names the word that was meant, if one is near."""
    near = get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else otherwise


def listed(words: Iterable[str]) -> str:
    """Return words as a list for a message."""
    return ", ".join(words) or "none"
