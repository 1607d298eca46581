"""Servers run the lifespans of the application and of what is mounted in it."""

from __future__ import annotations

import signal

import httpx2
import pytest

from tests.servers.running import SERVERS, Running, running

# Servers that never send a lifespan.
NO_LIFESPAN = {"daphne": "it does not implement the lifespan protocol"}


def test_what_the_lifespans_made_is_the_state_of_requests(server: Running, client: httpx2.Client) -> None:
    started = None if server.name in NO_LIFESPAN else "started"
    assert client.get("/state").json() == {"express": started}
    assert client.get("/starlette/where/x").json()["state"] == started


@pytest.mark.parametrize("name", SERVERS)
def test_the_lifespans_end_in_reverse_order_when_the_server_is_told_to_stop(name: str) -> None:
    with running(name) as server:
        assert httpx2.get(server.url + "/user/1").status_code == 200
        server.stop(signal.SIGINT)
        log = server.log
    printed = [line for line in log.splitlines() if line.endswith((": started", ": stopped"))]
    if name in NO_LIFESPAN:
        assert printed == []
    else:
        assert printed == ["express: started", "starlette: started", "starlette: stopped", "express: stopped"]
        assert "Traceback" not in log
