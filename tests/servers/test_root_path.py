"""A server that was told of a prefix that a proxy takes off."""

from __future__ import annotations

import httpx2
import pytest

from tests.servers.conftest import PREFIX
from tests.servers.running import Running

# uvicorn puts the prefix before the path, as the ASGI specification says. The others leave the path as the
# client sent it: then the prefix is taken off if it is there.
PREPENDS = ("uvicorn-h11", "uvicorn-httptools")


def get(server: Running, target: str) -> httpx2.Response:
    return httpx2.get(server.url + target)


@pytest.mark.parametrize("sent", ["", PREFIX], ids=["taken off by the proxy", "left by the proxy"])
def test_the_prefix_is_the_start_of_base_url(proxied: Running, sent: str) -> None:
    answer = get(proxied, sent + "/teams/a%2Fb/members/2?x=1")
    if proxied.name in PREPENDS and sent:
        assert answer.status_code == 404
        return
    base = PREFIX if sent or proxied.name in PREPENDS else ""
    assert answer.json() == {
        "method": "GET",
        "original_url": base + "/teams/a%2Fb/members/2?x=1",
        "base_url": base + "/teams/a%2Fb",
        "url": "/members/2?x=1",
        "params": {"team": "a/b", "member": "2"},
    }
    assert get(proxied, sent + "/teams/x/leave").headers["location"] == base + "/teams/x/members/1"


def test_mounted_apps_see_the_prefix_before_their_own(proxied: Running) -> None:
    where = get(proxied, "/starlette/where/a%20b").json()
    assert where["root_path"] == PREFIX + "/starlette"
    assert where["path"] == where["url"] == PREFIX + "/starlette/where/a b"
    assert where["url_for"] == PREFIX + "/starlette/where/x y"
    redirect = get(proxied, "/starlette/slash")
    assert redirect.headers["location"] == proxied.url + PREFIX + "/starlette/slash/"
    wsgi = get(proxied, "/wsgi/x").json()
    assert (wsgi["SCRIPT_NAME"], wsgi["PATH_INFO"]) == (PREFIX + "/wsgi", "/x")


def test_the_prefix_ends_at_a_slash(proxied: Running) -> None:
    answer = get(proxied, PREFIX + "teams/x/members/1")
    assert answer.status_code == 404
