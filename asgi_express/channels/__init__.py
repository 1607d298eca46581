"""Channels: publish and subscribe by name, in one process or over Redis between many; HTTP requests as events.

::

    channels = Channels()
    channels.subscribe("data:user:get", lambda id: {"id": id})
    (await channels.publish("data:user:get", 7)).first  # -> {"id": 7}
"""

from asgi_express.channels._channels import Channels
from asgi_express.channels._names import ChannelName
from asgi_express.channels._outcome import Delivery, Outcome, PublishErrors, Stop
from asgi_express.channels._pubsub import PubSub
from asgi_express.channels._requests import Context, RequestEvents
from asgi_express.channels._streams import BacklogFull, DeadLetter, Streams
from asgi_express.channels._subscription import Subscription
from asgi_express.channels._typed import event
from asgi_express.channels._wire import Bus, Message

__all__ = [
    "BacklogFull",
    "Bus",
    "ChannelName",
    "Channels",
    "Context",
    "DeadLetter",
    "Delivery",
    "Message",
    "Outcome",
    "PubSub",
    "PublishErrors",
    "RequestEvents",
    "Stop",
    "Streams",
    "Subscription",
    "event",
]
