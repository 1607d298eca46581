"""The answers of the real Express, recorded in ``recorded/``, are given again by asgi-express.

Every program is built with plain handlers, with awaiting ones and with a mixture (`Style`); all get every request.
Where asgi-express differs on purpose, the recording names the row of ``docs/express-differences.md`` that says so.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from asgi_express import PathError
from tests.conformance.bodies import JSON
from tests.conformance.driver import ask, disagreements, recorded_answer
from tests.conformance.interpreter import Style, build_app, register_alone

HERE = Path(__file__).parent
RECORDED = sorted(path for path in (HERE / "recorded").glob("*.json") if path.name != "manifest.json")
SHOWN = 30
"""How much of a program the report of a failure shows."""

DIFFERENCES = HERE.parent.parent / "docs" / "express-differences.md"


class Case(NamedTuple):
    """One recorded program, and the header table of its file."""

    program: dict[str, JSON]
    header_sets: list[dict[str, JSON]]


def _cases() -> Iterator[tuple[str, Case]]:
    for path in RECORDED:
        recording = json.loads(path.read_text(encoding="utf-8"))
        for program in recording["programs"]:
            yield f"{path.stem}: {program['name']}", Case(program, recording["headers"])


CASES = dict(_cases())
PROGRAMS = {name: case for name, case in CASES.items() if "stack" in case.program}
TABLES = {name: case.program for name, case in CASES.items() if "registrations" in case.program}


def _known_differences() -> set[str]:
    """Return the ids of the table: what stands in backquotes in its first column."""
    return set(re.findall(r"^\| *`([a-z0-9-]+)` *\|", DIFFERENCES.read_text(encoding="utf-8"), re.MULTILINE))


def _tags() -> set[str]:
    tagged = [
        row["difference"]
        for case in CASES.values()
        for row in [case.program, *case.program.get("requests", ()), *case.program.get("registrations", ())]
        if "difference" in row
    ]
    return set(tagged)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_request_is_answered_as_express_answered_it(name: str) -> None:
    program = PROGRAMS[name].program
    complaints = _complaints(*PROGRAMS[name])
    tag = program.get("difference")
    if tag:
        assert complaints, f"{name} is tagged {tag!r}, but does not differ"
    else:
        assert not complaints, _report(name, program, complaints)


def _complaints(program: dict[str, JSON], header_sets: list[dict[str, JSON]]) -> list[str]:
    complaints: list[str] = []
    # Hundreds of nested `await next()` are more than the interpreter allows.
    styles = Style if program.get("awaited", True) else [Style.PLAIN]
    with asyncio.Runner() as runner:
        for style in styles:
            try:
                app = build_app(program, style)
            except (TypeError, ValueError) as err:
                return [f"cannot be registered: {err}"]
            for request in program["requests"]:
                actual = runner.run(ask(app, request))
                found = disagreements(recorded_answer(request, header_sets), actual)
                tag = request.get("difference")
                if found and not tag:
                    complaints.append(_complaint(request, style, found))
                elif tag and not found:
                    complaints.append(f"{request['method']} {request['target']} is tagged {tag!r}, but does not differ")
    return complaints


def _complaint(request: dict[str, JSON], style: Style, found: list[str]) -> str:
    details = "\n".join(f"  should {line}" for line in found)
    return f"{request['method']} {request['target']} {request.get('headers', '')} with {style.value}\n{details}"


def _report(name: str, program: dict[str, JSON], complaints: list[str]) -> str:
    entries = [f"  {json.dumps(entry, ensure_ascii=False)}" for entry in program["stack"]]
    stack = "\n".join(entries[:SHOWN] + ([f"  and {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []))
    settings = f"  settings {json.dumps(program['settings'])}\n" if "settings" in program else ""
    shown = complaints[:6] + ([f"and {len(complaints) - 6} more"] if len(complaints) > 6 else [])
    report = f"{name}\n{settings}{stack}\n\n" + "\n".join(shown)
    return report.encode(errors="backslashreplace").decode()  # lone surrogates


@pytest.mark.parametrize("name", TABLES)
def test_what_express_refuses_to_register_is_refused(name: str) -> None:
    complaints = []
    for row in TABLES[name]["registrations"]:
        complaint, tag = _registration_complaint(row), row.get("difference")
        if complaint and not tag:
            complaints.append(complaint)
        elif tag and not complaint:
            complaints.append(f"{row['entry']} is tagged {tag!r}, but does not differ")
    assert not complaints, "\n".join([name, *complaints])


def _registration_complaint(row: dict[str, JSON]) -> str | None:
    expected = row["error"]
    asked = f"{row['on']} {json.dumps({**row['entry'], 'nodes': '…'}, ensure_ascii=False)}"
    try:
        register_alone(row["on"], row["entry"])
    except (TypeError, ValueError) as err:  # PathError is the former, as in Express
        if expected is None:
            return f"{asked}\n  should be accepted\n  is     {err!r}"
        if expected["type"] != "PathError":
            return None
        if not isinstance(err, PathError):
            return f"{asked}\n  should be {expected['message']!r}\n  is     {err!r}"
        wanted = _fault(expected["message"])
        if not str(err).startswith(wanted):
            return f"{asked}\n  should be {wanted!r}\n  is     {str(err)!r}"
        return None
    return None if expected is None else f"{asked}\n  should be {expected['message']!r}\n  is     accepted"


def _fault(message: str) -> str:
    """Return what is wrong in words that both have; the path and the remedy that follow are each one's own."""
    match = re.match(r"(.*? at index \d+)|(Missing text before \".*?\" \w+)|(Too many path combinations)", message)
    assert match, message
    return match[0]


def test_every_difference_that_a_recording_names_is_a_row_of_the_table() -> None:
    assert _tags() - _known_differences() == set()


def test_the_manifest_counts_what_is_recorded() -> None:
    manifest = json.loads((HERE / "recorded" / "manifest.json").read_text(encoding="utf-8"))
    rows = [case.program.get("requests") or case.program["registrations"] for case in CASES.values()]
    assert set(manifest["files"]) == {path.stem for path in RECORDED}
    assert manifest["total"] == sum(map(len, rows))
    assert manifest["total"] >= 25000
