"""The metrics of one registry and namespace: made once, whoever asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Families", "families"]

_made: WeakKeyDictionary[CollectorRegistry, dict[str, Families]] = WeakKeyDictionary()


class Families(NamedTuple):
    """What is counted; the names of constant labels come last among the labels of each.

    Attributes:
        requests: answered requests, by method, route and status.
        seconds: their durations, by the same.
        received: bytes of their bodies, by the same.
        sent: bytes of the bodies of their answers, by the same.
        in_flight: requests under way, by method.
        sockets: WebSocket connections that are over, by route and status of the handshake.
        open_sockets: those that are open, by route.
        messages: WebSocket messages, by route and direction.
        shape: the buckets and the names of constant labels that they were made with.
    """

    requests: Counter
    seconds: Histogram
    received: Counter
    sent: Counter
    in_flight: Gauge
    sockets: Counter
    open_sockets: Gauge
    messages: Counter
    shape: tuple[tuple[float, ...], tuple[str, ...]]


def families(
    registry: CollectorRegistry | None, namespace: str, buckets: Sequence[float], constant: Sequence[str]
) -> Families:
    """Return the metrics of a registry and namespace: those that are there, or new ones.

    Raises:
        ValueError: there are some with other buckets or labels, or somebody else's with one of the names.
    """
    target = REGISTRY if registry is None else registry
    if not isinstance(target, CollectorRegistry):
        msg = f"Metrics: registry must be a prometheus_client.CollectorRegistry, not {registry!r}"
        raise ValueError(msg)
    shape = (tuple(buckets), tuple(constant))
    found = _made.setdefault(target, {}).get(namespace)
    if found is None:
        found = _made[target][namespace] = _make(target, namespace, *shape)
    elif found.shape != shape:
        msg = (
            f"Metrics: buckets and labels are the same for all of one registry and namespace; "
            f"there are {found.shape} already, not {shape}: set another namespace or registry"
        )
        raise ValueError(msg)
    return found


def _make(
    registry: CollectorRegistry, namespace: str, buckets: tuple[float, ...], constant: tuple[str, ...]
) -> Families:
    request, socket = ("method", "route", "status", *constant), ("route", "status", *constant)
    made: list[Counter | Gauge | Histogram] = []

    def counter(name: str, about: str, labels: Sequence[str]) -> Counter:
        made.append(found := Counter(name, about, labels, namespace=namespace, registry=registry))
        return found

    def gauge(name: str, about: str, labels: Sequence[str]) -> Gauge:
        # In several processes: the sum over those that live.
        found = Gauge(name, about, labels, namespace=namespace, registry=registry, multiprocess_mode="livesum")
        made.append(found)
        return found

    def histogram(name: str, about: str, labels: Sequence[str]) -> Histogram:
        found = Histogram(name, about, labels, namespace=namespace, registry=registry, buckets=buckets)
        made.append(found)
        return found

    try:
        return Families(
            requests=counter("http_requests", "HTTP requests.", request),
            seconds=histogram(
                "http_request_duration_seconds", "Seconds until the last byte of the answer was handed on.", request
            ),
            received=counter("http_request_body_bytes", "Bytes of request bodies that were read.", request),
            sent=counter("http_response_body_bytes", "Bytes of response bodies.", request),
            in_flight=gauge(
                "http_requests_in_flight", "HTTP requests that are not answered yet.", request[:1] + constant
            ),
            sockets=counter("websocket_connections", "WebSocket connections that are over.", socket),
            open_sockets=gauge(
                "websocket_connections_open", "WebSocket connections that are open.", socket[:1] + constant
            ),
            messages=counter("websocket_messages", "WebSocket messages.", ("route", "direction", *constant)),
            shape=(buckets, constant),
        )
    except ValueError as error:
        for each in made:
            with suppress(KeyError):
                registry.unregister(each)
        msg = f"Metrics: the registry has somebody else's metric of this name: {error}; set a namespace"
        raise ValueError(msg) from error
