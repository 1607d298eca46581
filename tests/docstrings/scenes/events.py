"""Channels, the requests that are published on them, and the server of Luxure."""

from __future__ import annotations

import asyncio
from typing import Any

from asgi_express.channels import Channels, Streams
from tests.docstrings.scene import PATIENCE, Ask, Handled, Names, Program, Scene

REDIS = {"redis://localhost:6379/0": "$REDIS"}


def patient(names: Names) -> None:
    """Let what is over Redis wait as long as the tests do, and keep to what is its own."""
    prefix = str(names["world"].folder)
    for name in ("PubSub", "Streams"):
        make = names[name]

        def patiently(*args: Any, make: Any = make, **options: Any) -> Any:
            return make(*args, **{"prefix": prefix, "timeout": PATIENCE, **options})

        names[name] = patiently


async def with_a_dead_letter(names: Names) -> None:
    bus = names["bus"] = Streams(
        names["world"].redis(), group="mailer", prefix=str(names["world"].folder), timeout=PATIENCE, attempts=1
    )
    channels = Channels(bus=bus, on_error=lambda error: None)
    channels.subscribe("mail", lambda: 1 / 0)
    async with channels:
        await channels.publish("mail")
        async with asyncio.timeout(PATIENCE):
            while not await bus.dead():
                await asyncio.sleep(0.005)


async def close_bus(names: Names) -> None:
    await names["bus"]._store.aclose()


async def run(names: Names) -> None:
    async with names["app"].lifespan_context(names["app"]):
        names["running"] = True


SCENES: dict[str, Scene] = {
    "channels._outcome.Stop": Scene(unreached=["Lambda in line 3"]),
    "channels._typed.event": Scene(names=lambda: {"__name__": __name__}),  # dataclasses look for their module
    "channels._channels.Channels.lifespan": Scene(
        then=run, gives={"running": True, "app._lifespan == channels.lifespan": True}
    ),
    "channels._pubsub.PubSub": Scene(first=patient, swap=REDIS),
    "channels._streams.Streams": Scene(first=patient, swap=REDIS, gives={"sent.is_set()": True}),
    "channels._streams.Streams.dead": Scene(
        first=with_a_dead_letter, last=close_bus, gives={"out": "mail ZeroDivisionError: division by zero\n"}
    ),
    "validate.validate": Scene(asks=[Ask("GET /users?age=21", '{"age":21}'), Ask("GET /users?age=9", status=400)]),
    "luxure.Server": Scene(asks=[Ask(text="Hello")]),
    "luxure.Server.use": Scene(asks=[Ask(text="Hello", of="server")]),
    "luxure.Server.run": Program(swap={"8080": "0"}, before="from asgi_express.luxure import Server\n", text="Hello"),
    "luxure.Sse": Handled(ask=Ask(text=': \n\nevent: price\ndata: {"price":42}\n\n')),
    "luxure.Sse.send": Handled(ask=Ask(text=": \n\ndata: hello\n\n")),
    "channels._requests.RequestEvents": Scene(asks=[Ask("GET /users/7", '{"user":"7"}'), Ask("GET /", status=404)]),
}
