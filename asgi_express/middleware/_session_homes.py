"""Where sessions live: in a signed cookie, or in a store under an id that the cookie holds."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import math
import secrets
from base64 import urlsafe_b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn, Protocol

from asgi_express.middleware._session_data import dump
from asgi_express.stores import Store, StoreUnavailable

__all__ = ["CookieHome", "Held", "Home", "Lifetimes", "Record", "Seal", "StoreHome"]

_log = logging.getLogger("asgi_express.session")


class Record(NamedTuple):
    """A session as it is kept.

    Attributes:
        created: when it began, in seconds since the epoch.
        used: when it was last used.
        data: what is in it.
        text: the JSON of its data.
    """

    created: float
    used: float
    data: dict[str, Any]
    text: str

    def encode(self) -> bytes:
        """Return the record as JSON."""
        return (_HEAD % (self.created, self.used) + self.text + "}").encode("ascii")


_HEAD = '{"c":%d,"u":%d,"d":'

# More brackets than this, and nobody knows whether what could be read can be written again.
_DEEP = 100


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        msg = f"{number} is beyond the range of floats"
        raise ValueError(msg)
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def decode(stored: bytes) -> Record | None:
    """Return the record of a JSON text; ``None`` where it is anything else, however it came to be signed or stored."""
    try:
        text = stored.decode("utf-8")
        held = _DECODER.decode(text)
        created, used, data = held["c"], held["u"], held["d"]
        if type(created) is not int or type(used) is not int or not isinstance(data, dict):
            return None
        # What was written here has the JSON of its data in it: to write it once more would take 2 us.
        head = _HEAD % (created, used)
        is_ours = text.startswith(head) and text.endswith("}}") and len(held) == 3 and text.count('"d":') == 1
        is_flat = text.count("[") + text.count("{") < _DEEP
        return Record(created, used, data, text[len(head) : -1] if is_ours and is_flat else dump(data))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class Lifetimes(NamedTuple):
    """How long sessions last, in seconds.

    Attributes:
        idle: without being used; without a limit where it is ``None``.
        total: however much they are used.
    """

    idle: float | None
    total: float

    def left(self, record: Record, now: float) -> float:
        """Return how many seconds a session that is used now has left."""
        rest = record.created + self.total - now
        return rest if self.idle is None else min(rest, self.idle)


class Seal:
    """Signs what goes into the cookie and checks what comes back.

    The keys are derived from the secrets and the name of the cookie (HKDF-Extract, RFC 5869): text that the program
    signs elsewhere with the same secret, perhaps chosen by a client, is no session.
    """

    def __init__(self, each: Sequence[str], cookie: str) -> None:
        label = b"asgi-express session " + cookie.encode()
        keys = [hmac.digest(label, secret.encode(), hashlib.sha256).hex() for secret in each]
        # Copied for each cookie: to begin with the key again would take 1.3 us instead of 0.7.
        self._newest, *self._older = [hmac.new(key.encode(), digestmod="sha256") for key in keys]

    def close(self, text: str) -> str:
        """Return a text with the signature of the newest secret."""
        return f"{text}.{_signature(self._newest, text).decode('ascii')}"

    def open(self, value: str) -> tuple[str | None, bool]:
        """Return what was signed, ``None`` if by nobody here, and whether an older secret signed it."""
        text, dot, signature = value.rpartition(".")
        given = signature.encode("utf-8", "surrogatepass")
        if not dot:
            return None, False
        if hmac.compare_digest(_signature(self._newest, text), given):
            return text, False
        for key in self._older:
            if hmac.compare_digest(_signature(key, text), given):
                return text, True
        return None, False


def _signature(key: hmac.HMAC, text: str) -> bytes:
    """Return the HMAC-SHA256 of a text in Base64 without padding, as ``cookie-signature`` writes it."""
    mac = key.copy()
    # surrogatepass: whatever a client sent must not become an exception of the codec.
    mac.update(text.encode("utf-8", "surrogatepass"))
    return b2a_base64(mac.digest(), newline=False).rstrip(b"=")


class Held(NamedTuple):
    """A session that came with a request.

    Attributes:
        text: what stood in the cookie.
        record: what it stands for.
        stale: whether the cookie is to be written again because of its signature.
    """

    text: str
    record: Record
    stale: bool


class Home(Protocol):
    """What the middleware asks of either. Methods that write return the text for the cookie, ``None`` for no cookie."""

    async def load(self, text: str, now: float) -> Record | None:
        """Return the session of a cookie if it is still alive."""

    async def create(self, record: Record, old: Held | None) -> str | None:
        """Keep a session under a new name; forget the old one."""

    async def update(self, held: Held, record: Record) -> str | None:
        """Keep what has changed."""

    def must_note(self, held: Held, now: float) -> bool:
        """Tell whether there is something to do where a session was only read."""
        ...

    async def renew(self, held: Held, now: float) -> str | None:
        """Note that a session was used, where that must be."""

    async def delete(self, held: Held) -> None:
        """Forget a session."""


class CookieHome:
    """The session itself is in the cookie: signed, readable for the client, and nothing is kept here."""

    def __init__(self, lifetimes: Lifetimes, *, rolling: bool) -> None:
        self._lifetimes = lifetimes
        self._rolling = rolling

    async def load(self, text: str, now: float) -> Record | None:
        try:
            record = decode(a2b_base64(text.replace("-", "+").replace("_", "/")))
        except ValueError:
            return None
        if record is None:
            return None
        idle, total = self._lifetimes
        alive = now < record.created + total and (idle is None or now < record.used + idle)
        return record if alive else None

    async def create(self, record: Record, old: Held | None) -> str:
        return urlsafe_b64encode(record.encode()).decode("ascii")

    async def update(self, held: Held, record: Record) -> str:
        return await self.create(record, None)

    def must_note(self, held: Held, now: float) -> bool:
        # The time of use is in the cookie. Writing it with every answer would be a lot; a tenth of idle is near enough.
        idle = self._lifetimes.idle
        return self._rolling or held.stale or (idle is not None and now - held.record.used >= idle / 10)

    async def renew(self, held: Held, now: float) -> str | None:
        if not self.must_note(held, now):
            return None
        return await self.create(held.record._replace(used=now), None)

    async def delete(self, held: Held) -> None:
        """Do nothing: a copy of the cookie stays good until it expires."""


class StoreHome:
    """The session is in a store; the cookie holds its id, 256 bits from the system's random source."""

    def __init__(self, store: Store, lifetimes: Lifetimes, *, rolling: bool) -> None:
        self._store = store
        self._lifetimes = lifetimes
        self._rolling = rolling

    @staticmethod
    def _key(text: str) -> str:
        """Return the key of an id: who reads the store learns no id."""
        return "session:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    async def load(self, text: str, now: float) -> Record | None:
        stored = await self._store.get(self._key(text))
        if stored is None:
            return None
        record = decode(stored)
        if record is None:
            _log.warning("a session in the store cannot be read; it counts as none")
            return None
        # The store ends it when it has been idle for too long.
        return record if now < record.created + self._lifetimes.total else None

    async def create(self, record: Record, old: Held | None) -> str:
        text = secrets.token_urlsafe(32)
        await self._store.set(self._key(text), record.encode(), ttl=self._ttl(record, record.used))
        if old is not None:
            await self.delete(old)
        return text

    async def update(self, held: Held, record: Record) -> str | None:
        key, ttl = self._key(held.text), self._ttl(record, record.used)
        # replace, not set: what another request has ended meanwhile stays ended.
        if not await self._store.replace(key, record.encode(), ttl=ttl):
            _log.info("a session was ended by another request meanwhile; what this one changed is dropped")
            return None
        return self._cookie(held)

    def must_note(self, held: Held, now: float) -> bool:
        return self._rolling or held.stale or self._lifetimes.idle is not None

    async def renew(self, held: Held, now: float) -> str | None:
        if self._lifetimes.idle is not None:
            try:
                await self._store.touch(self._key(held.text), ttl=self._ttl(held.record, now))
            except StoreUnavailable as error:  # it may end earlier; no reason to refuse the answer
                _log.warning("the session store cannot note that a session was used: %s", error)
        return self._cookie(held)

    async def delete(self, held: Held) -> None:
        await self._store.delete(self._key(held.text))

    def _cookie(self, held: Held) -> str | None:
        return held.text if self._rolling or held.stale else None

    def _ttl(self, record: Record, now: float) -> float:
        return max(1.0, math.ceil(self._lifetimes.left(record, now)))
