"""Which origins are trusted, decided without a loop where no function has to be asked."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_express.security._public_suffixes import is_public_suffix
from asgi_express.security.origins import OriginPolicy, origin_of
from tests.asgi import http_scope

APP = "https://app.example.com"


# -- what is refused when it is configured


@pytest.mark.parametrize(
    ("origins", "words"),
    [
        ("null", "any site can make a page of origin 'null'"),
        ("http://example.com", "is not secure, anybody on the way can change its pages"),
        ("http://*.example.com", "is not secure"),
        ("http://128.0.0.1", "is not secure"),
        ("*.com", r"who can register names under 'com': name the origins, or tolerate=\['public-suffix'\]"),
        ("https://*.co.uk", "trusts strangers"),
        ("https://*.com.au:8443", "trusts strangers"),
        ("*.github.io", "trusts strangers"),
        ("*.s3.eu-west-1.amazonaws.com", "trusts strangers"),
        ("*.amazonaws.com", "trusts strangers"),
        ("*.core.windows.net", "trusts strangers"),
        ("*.railway.app", "trusts strangers"),
        ("example.com", "'example.com' has no scheme: 'https://example.com'"),
        ("https://example.com/", "has a path; an origin ends after the host and port: 'https://example.com'"),
        ("https://example.com/app", "has a path"),
        ("https://example.com?x", "has a path"),
        ("https://user@example.com", "has a user name"),
        ("https://münchen.example", "is not ASCII; browsers send the 'xn--' form"),
        ("https://*example.com", "a wildcard stands for whole labels at the left"),
        ("https://app.*.example.com", "a wildcard stands for whole labels at the left"),
        ("https://*.*.example.com", "a wildcard stands for whole labels at the left"),
        ("https://.*", "a wildcard stands for whole labels at the left"),
        (r"https://.+\.example\.com", "a regular expression has to be compiled"),
        ("https://", "is not an origin"),
        ("https://example.com:0", "is not an origin"),
        ("https://example.com:99999", "has a port above 65535"),
        ("https://example..com", "neither a name nor an address"),
        ("https://1.2.3", "neither a name nor an address"),
        ("https://1.2.3.256", "neither a name nor an address"),
        ("https://[1.2.3.4]", "is not an origin|neither a name nor an address"),
        ("https://[::1::]", "neither a name nor an address"),
        ("https://*.1.2.3.4", "addresses have no sub-domains"),
        ("https://a.example,", "an origin is empty"),
        (["https://a.example", ""], "an origin is empty"),
        (["https://a.example", 7], "an origin is text, a compiled regular expression or a function, not 7"),
        (None, "not None"),
        (re.compile(b"https://.*"), "is a regular expression for bytes"),
        (lambda: True, r"must take \(origin\) or \(origin, scope\)"),
        (lambda a, b, c: True, r"must take \(origin\) or \(origin, scope\)"),
    ],
)
def test_an_entry_that_is_none_or_wider_than_it_looks_is_refused(origins: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"allow_origins: .*(?:{words})"):
        OriginPolicy(origins, option="allow_origins")


@pytest.mark.parametrize("origins", ["*", re.compile("https://.*"), re.compile(r"https?://\S+")])
def test_everybody_is_refused_with_credentials(origins: Any) -> None:
    with pytest.raises(ValueError, match=r"with credentials.* tolerate="):
        OriginPolicy(origins, credentials=True)
    OriginPolicy(origins)
    assert OriginPolicy(origins, credentials=True, tolerate=["any"]).settled(APP) is True


def test_a_word_that_tolerates_nothing_known_is_refused() -> None:
    tolerate: Any = ["insecure", "everything"]
    with pytest.raises(ValueError, match=r"tolerate takes 'any', .*, not \['everything'\]"):
        OriginPolicy(tolerate=tolerate)


@pytest.mark.parametrize(
    ("origins", "word", "origin"),
    [
        ("null", "null", "null"),
        ("http://example.com", "insecure", "http://example.com"),
        ("http://*.example.com", "insecure", "http://a.example.com"),
        (re.compile("https?://example.com"), "insecure", "http://example.com"),
        ("*.github.io", "public-suffix", "https://me.github.io"),
    ],
)
def test_what_is_refused_can_be_tolerated_by_name(origins: Any, word: Any, origin: str) -> None:
    assert OriginPolicy(origins, tolerate=word, credentials=True).settled(origin) is True


# -- what is trusted

SUB = "https://*.example.com"
REGEX = re.compile(r"https://[a-z]+\.example\.com|https://example\.org")


@pytest.mark.parametrize(
    ("origins", "trusted", "refused"),
    [
        ([], [], [APP, "null", ""]),
        ("", [], [APP]),
        (
            APP,
            [APP],
            [
                "https://app.example.com.evil.example",
                "https://evil.example/https://app.example.com",
                "https://appXexample.com",
                "http://app.example.com",
                "https://app.example.com:8443",
                "https://app.example.com:443",
                "https://app.example.com/",
                "https://APP.example.com",
                "https://app.example.com.",
                " https://app.example.com",
                "https://app.example.com, https://app.example.com",
                "https://app.example.com\n",
                "null",
                "*",
                "",
            ],
        ),
        ("https://App.Example.com:443", [APP], ["https://App.Example.com:443"]),
        (f"{APP} , https://b.example:8443", [APP, "https://b.example:8443"], ["https://b.example"]),
        ({APP}, [APP], []),
        ("chrome-extension://abcdef", ["chrome-extension://abcdef"], ["https://abcdef"]),
        ("https://[2001:db8::1]:8443", ["https://[2001:db8::1]:8443"], ["https://[2001:db8::2]:8443"]),
        (
            ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:80", "http://*.localhost"],
            ["http://localhost:3000", "http://127.0.0.1", "http://[::1]", "http://a.localhost"],
            ["http://localhost", "http://127.0.0.2", "http://localhost.evil.example:3000", "http://localhost:30000"],
        ),
        (
            "http://localhost:*",
            ["http://localhost", "http://localhost:3000", "http://localhost:5173"],
            ["https://localhost", "http://a.localhost", "http://localhost:x", "http://localhost:"],
        ),
        ("https://*.example.com:*", ["https://a.example.com:1", "https://a.example.com"], ["https://example.com:1"]),
        (
            SUB,
            ["https://a.example.com", "https://a.b.example.com", "https://a-b.example.com"],
            [
                "https://example.com",
                "https://.example.com",
                "https://..example.com",
                "https://aexample.com",
                "https://a.example.com.evil.example",
                "https://a.example.com:8443",
                "http://a.example.com",
                "https://evil.example#.example.com",
                "https://evil.example/.example.com",
                "https://evil.example\\.example.com",
                "https://a@.example.com",
                "https://" + "a" * 260 + ".example.com",
            ],
        ),
        ("*.example.com", ["https://a.example.com"], ["http://a.example.com", "https://example.com"]),
        (
            REGEX,
            [APP, "https://example.org"],
            ["https://example.org.evil.example", "https://evil.example/https://example.org", "http://example.org"],
        ),
        (re.compile(".*"), [APP, "https://b.example"], ["null", "", "https://a\nb", "http://b.example", "any"]),
        ("*", [APP, "null", "http://b.example"], [""]),
    ],
)
def test_an_origin_is_trusted_as_a_whole_or_not_at_all(origins: Any, trusted: list[str], refused: list[str]) -> None:
    policy = OriginPolicy(origins)
    assert {origin: policy.settled(origin) for origin in trusted} == dict.fromkeys(trusted, True)
    assert {origin: policy.settled(origin) for origin in refused} == dict.fromkeys(refused, False)


def test_everybody_with_credentials_is_every_origin_that_is_well_formed_and_secure() -> None:
    policy = OriginPolicy("*", credentials=True, tolerate=["any"])
    asked = [APP, "http://localhost:3000", "http://b.example", "null", "", "anything\n"]
    assert [policy.settled(origin) for origin in asked] == [True, True, False, False, False, False]


@given(st.text(st.sampled_from("ahps:/.*exmlco[]@#?\\- 3443\n"), max_size=40))
def test_a_wildcard_never_trusts_what_does_not_end_in_its_domain(text: str) -> None:
    policy = OriginPolicy([SUB, APP])
    for origin in (text, "https://" + text, "https://a" + text):
        if policy.settled(origin):
            assert re.fullmatch(r"https://(?:[a-z0-9_-]+\.)+example\.com", origin.replace("..", "._."))


def test_a_long_origin_costs_nothing() -> None:
    policy = OriginPolicy([SUB, re.compile(r"https://(a+)+\.example\.com")])
    started = time.process_time()
    for _ in range(1000):
        assert policy.settled("https://" + "a" * 60_000) is False
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("host", "is_public"),
    [
        ("com", True),
        ("localhost", True),
        ("co.uk", True),
        ("or.jp", True),
        ("co.example", False),
        ("example.co.uk", False),
        ("github.io", True),
        ("me.github.io", False),
        ("net", True),
        ("windows.net", True),
        ("blob.core.windows.net", True),
        ("notwindows.net", False),
    ],
)
def test_the_public_suffixes_that_are_known(host: str, is_public: bool) -> None:
    assert is_public_suffix(host) is is_public


# -- the host itself


@pytest.mark.parametrize(
    ("origin", "scheme", "hosts", "trusted"),
    [
        (APP, "https", ["app.example.com"], True),
        (APP, "https", ["App.Example.com:443"], True),
        (APP, "http", ["app.example.com"], True),
        (APP, "wss", ["app.example.com"], True),
        ("http://app.example.com", "http", ["app.example.com"], True),
        ("http://app.example.com:8000", "ws", ["app.example.com:8000"], True),
        ("http://app.example.com", "https", ["app.example.com"], False),
        (APP, "https", ["app.example.com:8443"], False),
        (APP, "https", ["example.com"], False),
        (APP, "https", [], False),
        (APP, "https", ["app.example.com", "app.example.com"], False),
        ("ftp://app.example.com", "http", ["app.example.com"], False),
        ("null", "http", ["null"], False),
    ],
)
def test_self_is_the_host_that_was_asked(origin: str, scheme: str, hosts: list[str], trusted: bool) -> None:
    scope = http_scope(headers=[("host", host) for host in hosts], scheme=scheme)
    assert OriginPolicy("self").settled(origin, scope) is trusted
    assert OriginPolicy("self").settled(origin) is False


# -- functions


async def test_functions_are_asked_last_in_order_and_until_one_agrees() -> None:
    asked: list[Any] = []

    def plain(origin: str) -> bool:
        asked.append(("plain", origin))
        return origin == "https://plain.example"

    async def later(origin: str, scope: Any) -> bool:
        asked.append(("later", scope["path"]))
        return origin == "https://later.example"

    policy = OriginPolicy([APP, plain, later])
    assert policy.settled(APP) is True
    assert policy.settled("https://plain.example") is None
    scope = http_scope("/x")
    origins = [APP, "https://plain.example", "https://later.example", "https://no.example", "null", "http://b.example"]
    assert [await policy.allows(origin, scope) for origin in origins] == [True, True, True, False, False, False]
    assert asked == [
        ("plain", "https://plain.example"),
        ("plain", "https://later.example"),
        ("later", "/x"),
        ("plain", "https://no.example"),
        ("later", "/x"),
    ]


@pytest.mark.parametrize("answer", ["no", 1, [APP]])
async def test_an_answer_that_only_looks_true_is_an_error(answer: Any) -> None:
    with pytest.raises(TypeError, match="must answer True or False, not"):
        await OriginPolicy(lambda origin: answer).allows(APP, {})


async def test_none_is_no_and_errors_pass() -> None:
    answers: dict[str, Any] = {}
    of_none: Any = lambda origin: None  # noqa: E731 - no bool, as happens
    policy = OriginPolicy([of_none, answers.__getitem__])
    with pytest.raises(KeyError):
        await policy.allows(APP, {})
    answers[APP] = True
    assert await policy.allows(APP, {}) is True


async def test_a_builtin_that_does_not_tell_its_parameters_is_asked_for_the_origin() -> None:
    policy = OriginPolicy(bool)
    assert await policy.allows(APP, {}) is True


# -- the header


@pytest.mark.parametrize(
    ("headers", "origin"),
    [([], None), ([b"null"], "null"), ([b"https://a"], "https://a"), ([b"https://a", b"https://a"], ""), ([b""], "")],
)
def test_several_origin_headers_are_no_origin(headers: list[bytes], origin: str | None) -> None:
    assert origin_of([(b"host", b"x"), *((b"origin", value) for value in headers)]) == origin


ORIGINS = st.sampled_from(
    [APP, "https://a.example.org", "http://a.example.org", "https://x.test", "null", "", "not one", "https://localhost"]
)
POLICIES: list[dict[str, Any]] = [
    {"origins": [APP, "https://*.example.org", re.compile(r"https://x\.test")]},
    {"origins": ["self", "https://*.example.org"]},
    {"origins": ["http://*.example.org", lambda origin: origin == APP], "tolerate": ["insecure"]},
    {"origins": "*"},
    {"origins": "*", "credentials": True, "tolerate": ["any"]},
]


@pytest.mark.parametrize("options", POLICIES, ids=range(len(POLICIES)))
@given(asked=st.lists(st.tuples(ORIGINS, st.sampled_from(["localhost", "x.test", "app.example.com"])), max_size=12))
def test_an_answer_that_is_remembered_is_that_of_a_policy_that_has_forgotten(options: Any, asked: Any) -> None:
    policy = OriginPolicy(**options)
    for origin, host in [*asked, *reversed(asked)]:
        scope = http_scope(headers={"host": host})
        assert policy.settled(origin, scope) is OriginPolicy(**options).settled(origin, scope)
