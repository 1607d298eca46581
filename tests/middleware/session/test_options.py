"""Options, and the attributes of the cookie."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from asgi_express.middleware import Session
from asgi_express.middleware.session import SessionData
from tests.middleware.browsing import SECRET, Clock, put
from tests.middleware.session.homes import HOMES


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"secret": "short"}, ValueError, "16 characters or more"),
        ({"secret": ""}, ValueError, "16 characters or more"),
        ({"secret": []}, ValueError, "16 characters or more"),
        ({"secret": [SECRET, "short"]}, ValueError, "16 characters or more"),
        ({"secret": b"0123456789abcdef"}, TypeError, "a secret must be text"),
        ({"secret": [SECRET, None]}, TypeError, "a secret must be text"),
        ({"store": "redis://:hunter2@host"}, TypeError, "store must be a MemoryStore, .* not a str$"),
        ({"idle": 0}, ValueError, "idle must be a second or more, not 0"),
        ({"idle": "ten"}, ValueError, "invalid duration"),
        ({"lifetime": "-1d"}, ValueError, "lifetime must be a second or more, not '-1d'"),
        ({"lifetime": None}, TypeError, "a duration is"),
        ({"cookie": "a b"}, ValueError, "argument name is invalid: 'a b'"),
        ({"path": "/;x"}, ValueError, "option path is invalid"),
        ({"domain": "a; b"}, ValueError, "option domain is invalid"),
        ({"same_site": "some"}, ValueError, "same_site must be 'lax', 'strict' or 'none', not 'some'"),
        ({"same_site": None}, ValueError, "same_site must be 'lax', 'strict' or 'none', not None"),
        ({"secure": "yes"}, ValueError, "secure must be True, False or 'auto', not 'yes'"),
        ({"same_site": "none", "secure": False}, ValueError, "browsers drop cookies of same_site='none'"),
        ({"cookie": "__Host-a", "secure": False}, ValueError, "__Host- needs secure"),
        ({"cookie": "__Host-a", "path": "/b"}, ValueError, "__Host- needs secure, path '/'"),
        ({"on_store_failure": "ignore"}, ValueError, "must be 'error', 'empty' or an ASGI app, not 'ignore'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Session(**{"secret": SECRET, **options})


@pytest.mark.parametrize(
    ("options", "scope", "attributes"),
    [
        ({}, {}, "Max-Age=1209600; Path=/; Expires=Tue, 28 Nov 2023 22:13:20 GMT; HttpOnly; SameSite=Lax"),
        (
            {"lifetime": timedelta(hours=1), "path": "/x", "domain": "a.example", "http_only": False},
            {"scheme": "https"},
            "Max-Age=3600; Domain=a.example; Path=/x; Expires=Tue, 14 Nov 2023 23:13:20 GMT; Secure; SameSite=Lax",
        ),
        (
            {"lifetime": 60, "secure": True, "same_site": "strict"},
            {},
            "Max-Age=60; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly; Secure; SameSite=Strict",
        ),
        (
            {"lifetime": 60, "secure": False},
            {"scheme": "https"},
            "Max-Age=60; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly; SameSite=Lax",
        ),
        (
            {"lifetime": 60, "same_site": "none"},
            {},
            "Max-Age=60; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly; Secure; SameSite=None",
        ),
        (
            {"lifetime": 60, "cookie": "__Host-id"},
            {},
            "Max-Age=60; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly; Secure; SameSite=Lax",
        ),
        (
            {"lifetime": "1h", "idle": "1m", "rolling": True},
            {},
            "Max-Age=60; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly; SameSite=Lax",
        ),
    ],
)
@HOMES
async def test_the_cookie_has_the_attributes_that_were_asked_for(
    home: Any, options: Any, scope: Any, attributes: str
) -> None:
    browser = home(Clock(), **options)
    await browser.visit(put(a=1), **scope)
    assert browser.set_cookie is not None
    name, _, rest = browser.set_cookie.partition("=")
    assert name == options.get("cookie", "session")
    assert rest.partition("; ")[2] == attributes
    await browser.visit(SessionData.destroy, **scope)
    ended = re.sub(
        "Max-Age=[0-9]+", "Max-Age=0", re.sub("Expires=[^;]+", "Expires=Tue, 14 Nov 2023 22:13:20 GMT", rest)
    )
    assert browser.set_cookie == f"{name}=; {ended.partition('; ')[2]}"
