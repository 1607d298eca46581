"""The kinds of entries, declared once: validation, the JSON Schema and the tables of the page follow from this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asgi_express.gateway._problems import Wrong, closest, listed
from asgi_express.gateway._types import (
    Address,
    Anything,
    Boolean,
    Choice,
    Context,
    Duration,
    FilePath,
    Integer,
    KeyMaterial,
    ListOf,
    Mapping,
    OrNull,
    Pem,
    Raw,
    Reference,
    Schema,
    Size,
    Text,
    Type,
    expected,
)
from asgi_express.gateway._yaml import Node
from asgi_express.security import OPERATORS

__all__ = ["ALGORITHMS", "KINDS", "METHODS", "OPEN", "STORES", "TOKENS", "Field", "Kind", "Record", "nested"]

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")

STORES = ("store.memory", "store.redis")

TOKENS = ("security.token_store", "security.token_store.jwt")

ALGORITHMS = (
    *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"),
)
"""What JSON Web Tokens may be signed with. Without PyJWT, which knows them too, files are still read."""

OPEN = frozenset({"meta"})
"""Mappings that may have further keys: what tools and people note about an entry."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a kind.

    Attributes:
        name: its path in the entry, with dots: ``timeouts.read`` is ``read`` in the mapping ``timeouts``.
        type: what it can hold.
        doc: what it is for.
        required: whether it must be there.
        default: what it is otherwise.
    """

    name: str
    type: Type
    doc: str
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entry."""

    name: str
    doc: str
    fields: tuple[Field, ...]


def nested(fields: tuple[Field, ...], *, opened: frozenset[str] = frozenset()) -> Schema:
    """Return the JSON Schema of a mapping with these fields."""
    schema: Schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    for field in fields:
        *around, name = field.name.split(".")
        place = schema
        for each in around:
            if field.required and each not in place["required"]:
                place["required"].append(each)
            place = place["properties"].setdefault(
                each,
                {"type": "object", "properties": {}, "required": [], "additionalProperties": each in opened},
            )
        described = {**field.type.schema, "description": field.doc}
        if field.default is not None:
            described["default"] = field.default
        place["properties"][name] = described
        if field.required:
            place["required"].append(name)
    return schema


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with fields of its own."""

    name: str
    fields: tuple[Field, ...]

    @property
    def words(self) -> str:
        return f"{self.name} ({listed(field.name for field in self.fields)})"

    @property
    def example(self) -> str:
        return "{" + ", ".join(f"{each.name}: {each.type.example}" for each in self.fields if each.required) + "}"

    @property
    def schema(self) -> Schema:
        return nested(self.fields)

    def read(self, node: Node, context: Context) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            raise expected(self, node)
        known = {field.name: field for field in self.fields}
        values = {}
        for key, child in node.value.items():
            if key not in known:
                advice = closest(key, known, otherwise=f"there are {listed(known)}")
                raise Wrong(f"{self.name} has no {key!r}", suggestion=advice, code="unknown-field", line=child.line)
            values[key] = known[key].type.read(child, context)
        for field in self.fields:
            if field.required and field.name not in values:
                advice = f"add {field.name}: {field.type.example}"
                raise Wrong(
                    f"{self.name} needs {field.name!r}", suggestion=advice, code="missing-field", line=node.line
                )
        return values


_NAMES = ListOf(Text(), lone=True, empty=False)

_PATH = Text("a path that starts with /", r"^/", "/users")

_CONDITION = Record(
    "a condition",
    (
        Field(
            "field",
            Text(example="actor.id"),
            "what is looked at: actor.id, actor.meta.…, action, resource or meta.…",
            required=True,
        ),
        Field("operator", Choice(tuple(sorted(OPERATORS))), "how it is compared", required=True),
        Field("value", Anything(), "what it is compared with"),
        Field("value_from", Text(), "the field that it is compared with"),
    ),
)

_LIFECYCLE = (
    Field("lifecycle.auto_start", Boolean(), "whether it is served when nothing names the services", default=True),
    Field("lifecycle.start_timeout", Duration(), "how long its middleware may take to start", default="10s"),
    Field("lifecycle.stop_timeout", Duration(), "how long requests may take to end when it stops", default="10s"),
    Field("lifecycle.depends_on", ListOf(Reference(()), lone=True), "what must have started before it"),
    Field("lifecycle.security.actor.id", Text(), "the baseline actor: who acts in requests that nobody else acts in"),
    Field("lifecycle.security.actor.meta", Mapping(), "facts about the baseline actor"),
    Field(
        "lifecycle.security.policies",
        ListOf(Reference(("security.policy", "security.policy.expr")), lone=True),
        "the policies of the baseline actor",
    ),
    Field("lifecycle.security.groups", ListOf(Text(), lone=True), "groups of policies of the baseline actor"),
)

_POLICY = (
    Field("policy.actions", _NAMES, "the actions, with *", required=True),
    Field("policy.resources", _NAMES, "the resources, with *", required=True),
    Field("policy.effect", Choice(("allow", "deny")), "what it does", required=True),
)

_GROUPS = Field("groups", ListOf(Text(), lone=True), "the groups that it belongs to")

_MIDDLEWARE = (
    Field("middleware", ListOf(Text(), lone=True), "before the match, in this order"),
    Field("options", Raw(), "their options"),
)

_JWT_KEY = Record(
    "a key",
    (
        Field("algorithm", Choice(ALGORITHMS), "the one algorithm that it is for", required=True),
        Field("material", KeyMaterial(), "the secret or the public key", required=True),
        Field("kid", Text(), "its name, where tokens name their key"),
    ),
)

_ISSUERS = Text(example="https://login.example.com")

_JWKS = (
    Field("jwks.url", Text("a URL", r"^https?://", "https://login.example.com/jwks.json"), "where they are published"),
    Field("jwks.issuer", _ISSUERS, "instead of url: whose OpenID configuration says where"),
    Field(
        "jwks.rsa_algorithm",
        Choice(tuple(name for name in ALGORITHMS if name[1] == "S" and name[0] in "RP")),
        "what RSA keys are for that name no algorithm",
        default="RS256",
    ),
    Field("jwks.ttl", Duration(), "how long they are kept where the answer does not say", default="10m"),
    Field("jwks.min_ttl", Duration(), "how long at least", default="1m"),
    Field("jwks.max_ttl", Duration(), "how long at most", default="1d"),
    Field("jwks.max_stale", Duration(zero=True), "how long they serve on while the issuer is away", default="1h"),
    Field("jwks.cooldown", Duration(zero=True), "between two fetches for keys that are not there", default="30s"),
    Field("jwks.timeout", Duration(), "the deadline of a fetch", default="5s"),
    Field("jwks.max_size", Size(), "of the set", default="256kb"),
    Field("jwks.ca", Pem(), "who certifies the issuer; the authorities of the system by default"),
    Field("jwks.insecure", Boolean(), "admits http, where whoever is on the way can sign tokens", default=False),
)

_KINDS = (
    Kind(
        "http.service",
        "A server: an address, and what listens there.",
        (
            Field("addr", Address(), "where; port 0 is any free one", required=True),
            Field("timeouts.read", Duration(), "how long a client may take to send its request"),
            Field("timeouts.write", Duration(), "how long a request may take until the last byte of its answer"),
            Field("timeouts.idle", Duration(), "how long a connection stays open without a request"),
            Field(
                "host.buffer_size",
                Integer(1),
                "how many messages the inbox of a process or of a relayed client holds",
                default=1024,
            ),
            Field("host.worker_count", Integer(1), "without effect: nobody has to carry messages", default=1),
            *_LIFECYCLE,
            Field("tls.mode", Choice(("manual",)), "where the certificate comes from"),
            Field("tls.cert", Pem(), "the certificate, with its chain"),
            Field("tls.key", Pem(), "its key"),
            Field("tls.client_ca", Pem(), "who certifies clients"),
            Field(
                "tls.client_auth",
                Choice(("request", "require_any", "verify_if_given", "require_and_verify")),
                "whether a client needs a certificate",
            ),
        ),
    ),
    Kind(
        "http.router",
        "Endpoints under one prefix, with middleware around them.",
        (
            Field("meta.server", Reference(("http.service",)), "the server", required=True),
            Field("prefix", _PATH, "the prefix of its endpoints", default="/"),
            *_MIDDLEWARE,
            Field("post_middleware", ListOf(Text(), lone=True), "after the match, in this order"),
            Field("post_options", Raw(), "their options"),
        ),
    ),
    Kind(
        "http.endpoint",
        "A method and a path, and the function that answers.",
        (
            Field("meta.router", Reference(("http.router",)), "the router", required=True),
            Field("method", Choice(METHODS), "the method", required=True),
            Field(
                "path",
                _PATH,
                "the path; {param} is one segment, {param...} the rest",
                required=True,
            ),
            Field("func", Reference(("function.python",)), "the function", required=True),
        ),
    ),
    Kind(
        "http.static",
        "Files of a directory.",
        (
            Field("meta.server", Reference(("http.service",)), "the server", required=True),
            Field("path", _PATH, "where they are found", required=True),
            Field("fs", Reference(("fs.directory",)), "the directory", required=True),
            Field("static_options.spa", Boolean(), "whether the index answers navigations to what is not there"),
            Field("static_options.index", Text(), "the file for a directory; required with spa"),
            Field("static_options.cache", Text(), "Cache-Control of the files, the page of an application apart"),
            *_MIDDLEWARE,
        ),
    ),
    Kind("fs.directory", "A directory.", (Field("directory", FilePath(), "its path", required=True),)),
    Kind(
        "function.python",
        "A function.",
        (
            Field(
                "source",
                Text("file:// and a path, or module: and a name", r"^(file://.|module:[\w.]+$)", "file://handlers.py"),
                "the file, relative to this one, or the module",
                required=True,
            ),
            Field("method", Text("the name of a function", r"^[^\W\d]\w*$", "handler"), "the function", required=True),
            Field("modules", ListOf(Text(), lone=True), "what it uses, for people; Python imports what it wants"),
        ),
    ),
    Kind(
        "store.memory",
        "Keys and values in this process.",
        (
            Field("max_entries", Integer(1), "how many keys it holds", default=10_000),
            Field("full", Choice(("refuse", "evict")), "what happens when it is full", default="refuse"),
        ),
    ),
    Kind(
        "store.redis",
        "Keys and values in Redis.",
        (
            Field(
                "url",
                Text("a URL of Redis", r"^(rediss?|unix)://", "redis://localhost:6379/0"),
                "the server",
                required=True,
            ),
            Field("prefix", Text(), "what every key begins with", default="asgi_express:"),
            Field("timeout", Duration(), "the deadline of a call", default="100ms"),
            Field("max_connections", Integer(1), "connections", default=32),
        ),
    ),
    Kind(
        "security.policy",
        "Who may do what, by conditions.",
        (*_POLICY, Field("policy.conditions", ListOf(_CONDITION, lone=True), "all must hold"), _GROUPS),
    ),
    Kind(
        "security.policy.expr",
        "Who may do what, by an expression.",
        (*_POLICY, Field("policy.expression", Text(), "must hold", required=True), _GROUPS),
    ),
    Kind(
        "security.token_store",
        "Tokens, and whom they stand for.",
        (
            Field("store", Reference(STORES), "where they are kept", required=True),
            Field("token_length", Integer(16, 256), "random bytes in a token", default=32),
            Field("default_expiration", Duration(), "how long a token lasts", default="24h"),
            Field("token_key", Text(), "what tokens are signed with (HMAC-SHA256)"),
        ),
    ),
    Kind(
        "security.token_store.jwt",
        "JSON Web Tokens, which somebody else makes: who signs them, and whom they stand for.",
        (
            Field("keys", ListOf(_JWT_KEY, lone=True, empty=False), "what they are signed with, any of these"),
            *_JWKS,
            Field(
                "issuer",
                OrNull(ListOf(_ISSUERS, lone=True, empty=False)),
                "iss must be one of these; null: whatever it is",
                required=True,
            ),
            Field(
                "audience",
                OrNull(ListOf(Text(example="articles"), lone=True, empty=False)),
                "aud must have one of these; null: whatever it is",
                required=True,
            ),
            Field("required", ListOf(Text(), lone=True), "claims that must be there, besides exp and sub"),
            Field("typ", Text(example="at+jwt"), "what the header must say that it is"),
            Field("leeway", Duration(zero=True), "how far the clocks may differ", default="30s"),
            Field("max_size", Size(), "longer ones are not read", default="8kb"),
            Field("groups_claim", Text(example="groups"), "the claim that names groups of policies; a.b is b in a"),
            Field("to_actor", Reference(("function.python",)), "makes the actor of the claims; sub by default"),
            Field("to_scope", Reference(("function.python",)), "makes the policies of the claims"),
        ),
    ),
    Kind("env.storage.os", "The variables of the process.", ()),
    Kind(
        "env.variable",
        "A variable that placeholders name by this entry's name, its ID, or the variable.",
        (
            Field("variable", Text(), "the variable; the name of the entry by default"),
            Field("storage", Reference(("env.storage.os",)), "where it comes from; the process by default"),
            Field("default", Text(), "its value where there is none"),
        ),
    ),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
