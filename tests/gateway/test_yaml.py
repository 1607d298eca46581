"""The YAML that is read: scalars, places, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml

from asgi_express.gateway._problems import Problems
from asgi_express.gateway._yaml import MAX_DEPTH, Node, parse

SCALARS = [
    ("7", 7),
    ("-7", -7),
    ("+7", 7),
    ("007", 7),
    ("0x1F", "0x1F"),
    ("0o17", "0o17"),
    ("1_000", "1_000"),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("1e999", "1e999"),
    (".inf", ".inf"),
    (".nan", ".nan"),
    ("9" * 200, "9" * 200),
    ("true", True),
    ("False", False),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("null", None),
    ("~", None),
    ("", None),
    ("2024-01-01", "2024-01-01"),
    ("12:30:45", "12:30:45"),
    ("'7'", "7"),
    ('"true"', "true"),
    ("'~'", "~"),
    ("=", "="),
    ("|\n  two\n  lines\n", "two\nlines\n"),
]


def read(text: str) -> tuple[Node | None, list[tuple[int, str]]]:
    problems = Problems()
    node = parse(text, "file.yaml", problems)
    return node, [(problem.line, problem.message) for problem in problems]


@pytest.fixture(params=["libyaml", "python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read with libyaml, and as where PyYAML was built without it."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader")


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[text for text, _ in SCALARS])
def test_a_scalar_is_read_by_the_core_schema(loader: None, text: str, value: Any) -> None:
    node, problems = read(f"key: {text}\n")
    assert problems == []
    assert node is not None
    found = node.plain()["key"]
    assert (found, type(found)) == (value, type(value))


def test_every_value_knows_its_line(loader: None) -> None:
    node, _ = read("a: 1\nb:\n  c:\n    - 2\n    - d: 3\n")
    assert node is not None
    assert isinstance(node.value, dict)
    b = node.value["b"].value
    assert isinstance(b, dict)
    items = b["c"].value
    assert isinstance(items, list)
    assert [node.value["a"].line, node.value["b"].line, b["c"].line, items[0].line, items[1].line] == [1, 2, 3, 4, 5]
    assert node.plain() == {"a": 1, "b": {"c": [2, {"d": 3}]}}
    assert [each.shown for each in (node, b["c"], node.value["a"], Node(None, 1))] == [
        "a mapping",
        "a list",
        "1",
        "nothing",
    ]


REFUSED = [
    ("a: &x 1\nb: *x\n", 1, "anchors and aliases are not read"),
    ("a: *x\n", 1, "anchors and aliases are not read"),
    ("a: &x [1]\n", 1, "anchors and aliases are not read"),
    ("- 1\n- &x {a: 1}\n", 2, "anchors and aliases are not read"),
    ("a: !!str 7\n", 1, "tags are not read, here 'tag:yaml.org,2002:str'"),
    ("a: !own {b: 1}\n", 1, "tags are not read, here '!own'"),
    ("a: !!python/object/apply:os.system ['true']\n", 1, "tags are not read"),
    ("--- 1\n--- 2\n", 2, "there is a second document; a file has one"),
    ("? {a: 1}\n: b\n", 1, "a key must be a word, not a mapping"),
    ("a: 1\na: 2\n", 2, "the key 'a' stands here twice, first in line 1"),
    ("a: {b: 1}\n'a': 2\n", 2, "the key 'a' stands here twice, first in line 1"),
    ("a: b: c\n", 1, "this is not YAML"),
    ("a: [1\n", 2, "this is not YAML"),
    ("\tkey: 1\n", 1, "this is not YAML"),
    ("a: '\x00'\n", 1, "this is not YAML"),
    ("%YAML 3.0\n---\na: 1\n", 1, "this is not YAML"),
    ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), 1, f"more than {MAX_DEPTH} levels"),
    ("[" * 100_000, 1, f"more than {MAX_DEPTH} levels"),
    ("{a: " * 100_000, 1, f"more than {MAX_DEPTH} levels"),
]


@pytest.mark.parametrize(("text", "line", "message"), REFUSED, ids=[text[:30] for text, _, _ in REFUSED])
def test_what_yaml_can_do_beyond_data_is_refused(loader: None, text: str, line: int, message: str) -> None:
    _, ((found, words), *_) = read(text)
    assert words.startswith(message)
    assert abs(found - line) <= (1 if "not YAML" in message else 0)  # the two readers point at neighbouring lines


def test_as_many_levels_as_are_allowed_are_read(loader: None) -> None:
    node, problems = read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert (problems, node is not None) == ([], True)


def test_a_merge_key_is_a_key_like_any_other(loader: None) -> None:
    node, problems = read("<<: {a: 1}\n")
    assert node is not None
    assert (problems, node.plain()) == ([], {"<<": {"a": 1}})


def test_without_pyyaml_the_line_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match=r"the gateway needs PyYAML: pip install 'asgi-express\[gateway\]'"):
        read("a: 1\n")


def test_functions_may_import_the_gateway_where_pyyaml_is_not_installed() -> None:
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from asgi_express.gateway import http, load\n"
        "try:\n    load('version: 1\\n')\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "the gateway needs PyYAML: pip install 'asgi-express[gateway]'\n"
