"""Parameters checked by rules."""

from __future__ import annotations

from typing import Any

import pytest

import asgi_express as express
from asgi_express import Express
from asgi_express.validate import ValidationError, validate
from tests.asgi import ask


async def valid(rules: str, target: str, **messages: str) -> Any:
    """Return what becomes of the parameter `p`, or the error."""
    app = Express(raise_errors=True)
    app.get("/", validate({"p": rules}, messages), lambda req, res: res.json(req.valid))
    return (await ask(app, target)).json.get("p")


@pytest.mark.parametrize(
    ("rules", "target", "value"),
    [
        ("required", "/?p=a", "a"),
        ("optional|integer", "/", None),
        ("optional|integer", "/?p=7", 7),
        ("string|trim", "/?p=+a+", "a"),
        ("numeric", "/?p=-1.5e3", -1500.0),
        ("numeric", "/?p=7", 7),
        ("decimal", "/?p=.5", 0.5),
        ("integer", "/?p=5.0", 5),
        ("integer", "/?p=0xff", 255),
        ("integer|min:1|max:10", "/?p=10", 10),
        ("min:2|max:3", "/?p=abc", "abc"),
        ("size:2", "/?p=a&p=b", ["a", "b"]),
        ("match:[a-z]+", "/?p=abc", "abc"),
        ("match:a||b", "/?p=b", "b"),
        ("ip", "/?p=10.0.0.1", "10.0.0.1"),
        ("ip", "/?p=%3A%3A1", "::1"),
        ("trim|required", "/?p=a", "a"),
    ],
)
async def test_what_keeps_the_rules_is_converted(rules: str, target: str, value: Any) -> None:
    assert await valid(rules, target) == value


@pytest.mark.parametrize(
    ("rules", "target", "rule"),
    [
        ("required", "/", "required"),
        ("required", "/?p=", "required"),
        ("trim|required", "/?p=+", "required"),
        ("integer", "/", "integer"),
        ("integer", "/?p=1.5", "integer"),
        ("numeric", "/?p=seven", "numeric"),
        ("numeric", "/?p=NaN", "numeric"),
        ("numeric", "/?p=1e999", "numeric"),
        ("numeric", "/?p=" + "9" * 101, "numeric"),
        ("numeric", "/?p=%D9%A7", "numeric"),
        ("required|integer|min:18", "/?p=17", "min"),
        ("integer|max:9", "/?p=10", "max"),
        ("max:2", "/?p=abc", "max"),
        ("size:2", "/?p=a", "size"),
        ("min:1", "/", "min"),
        ("match:[a-z]+", "/?p=abc1", "match"),
        ("string", "/?p=a&p=b", "string"),
        ("ip", "/?p=10.0.0", "ip"),
    ],
)
async def test_the_first_rule_that_is_broken_is_400_with_its_name(rules: str, target: str, rule: str) -> None:
    with pytest.raises(ValidationError, match=f"Parameter validation failed. p: {rule}") as caught:
        await valid(rules, target)
    error = caught.value
    assert (error.status, error.type, error.parameter, error.rule, error.expose) == (
        *(400, "parameter.invalid", "p", rule, True),
    )


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ({"p.min": "too young", "p.*": "wrong", "*": "no"}, "too young"),
        ({"p.max": "too old", "p.*": "wrong", "*": "no"}, "wrong"),
        ({"q.min": "too young", "*": "no"}, "no"),
    ],
)
async def test_the_nearest_message_is_told(messages: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=f"Parameter validation failed. p: {words}$"):
        await valid("integer|min:18", "/?p=17", **messages)


async def test_a_parameter_is_looked_for_in_the_path_the_body_and_the_query() -> None:
    app = Express()
    app.use(express.json())
    rules = dict.fromkeys("abcd", "optional|trim")
    app.post("/:a", validate(rules), lambda req, res: res.json(req.valid))
    body = b'{"a": "body", "b": "body"}'
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    answer = await ask(app, "/path?a=query&b=query&c=query", "POST", headers=headers, body=body)
    assert answer.json == {"a": "path", "b": "body", "c": "query"}


async def test_numbers_of_a_body_are_numbers_and_true_is_none() -> None:
    app = Express()
    app.use(express.json())
    app.post("/", validate({"p": "numeric"}), lambda req, res: res.json(req.valid))
    for body, status in [(b'{"p": 1.5}', 200), (b'{"p": true}', 400), (b'{"p": {}}', 400), (b"[1]", 400)]:
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        assert (await ask(app, "/", "POST", headers=headers, body=body)).status == status
    app = Express().use(express.json()).post("/", validate({"p": "min:1"}), lambda req, res: res.json(req.valid))
    body = b'{"p": true}'
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    assert (await ask(app, "/", "POST", headers=headers, body=body)).status == 400


async def test_what_is_not_there_and_not_needed_is_left_out() -> None:
    app = Express()
    app.get("/", validate({"a": "optional"}), lambda req, res: res.json(req.valid))
    assert (await ask(app, "/")).json == {}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("integr", "'p' has the rule 'integr'; there are decimal, integer, ip, match:..., max:..., min:..., numeric"),
        ("", "'p' has the rule ''"),
        ("integer:5", "'p' has 'integer:5', but integer takes no argument"),
        ("min:many", "'p' has 'min:many', whose argument cannot be read"),
        ("match:[", r"'p' has 'match:\[', whose argument cannot be read"),
    ],
)
def test_rules_that_cannot_be_read_are_refused(rules: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        validate({"p": rules})
