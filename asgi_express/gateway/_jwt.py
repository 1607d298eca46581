"""``security.token_store.jwt``: tokens that somebody else makes, and the policies of the groups that they name."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from asgi_express.gateway._problems import Wrong
from asgi_express.gateway._registry import Entry, Registry
from asgi_express.security import JWKS, JWTKey, JWTValidator, Policies, Scope

__all__ = ["jwt_validator", "scope_by"]

_CLASS = re.compile(r"^JW\w+: ")
_PAGE = "docs/security.md says what keys and tokens must be"
_JWKS = ("url", "issuer", "rsa_algorithm", "ttl", "min_ttl", "max_ttl", "max_stale", "cooldown", "timeout", "max_size")
_VALIDATOR = ("issuer", "audience", "required", "typ", "leeway", "max_size")

_Made = TypeVar("_Made")


def jwt_validator(
    registry: Registry, entry: Entry, functions: Mapping[str, Any], policies: Policies
) -> JWTValidator | None:
    """Return what checks the tokens of an entry; ``None`` where it cannot be made, which is noted.

    Args:
        registry: where it is noted.
        entry: the entry.
        functions: the functions, by ID.
        policies: all policies.
    """
    keys = _keys(registry, entry)
    values = entry.values
    hooks: dict[str, Any] = {name: values[name] for name in ("to_actor", "to_scope") if name in values}
    claim = values.get("groups_claim")
    if claim is not None and "to_scope" in hooks:
        message = "groups_claim and to_scope both say which policies apply"
        registry.add(entry, "groups_claim", "wrong-value", message, "take one of the two out")
    if not keys or not entry.sound or not functions.keys() >= set(hooks.values()):
        return None
    hooks = {name: functions[each] for name, each in hooks.items()}
    if claim is not None:
        hooks["to_scope"] = scope_by(claim, policies)
    given = {name: values[name] for name in _VALIDATOR if name in values}
    return _attempt(registry, entry, "", lambda: JWTValidator(keys=keys, **given, **hooks))


def _keys(registry: Registry, entry: Entry) -> Any:
    given = entry.node.value
    assert isinstance(given, dict)  # noqa: S101 - it has a kind
    if "keys" in given and "jwks" in given:
        message = "keys and jwks both say what tokens are signed with"
        registry.add(entry, "jwks", "wrong-value", message, "take one of the two out")
        return None
    if "keys" not in given and "jwks" not in given:
        message = f"{entry.kind.name} needs 'keys', or 'jwks' to fetch them"
        registry.add(entry, "", "missing-field", message, "add keys: [{algorithm: HS256, material: ${env:JWT_SECRET}}]")
        return None
    if "jwks" in given:
        return _attempt(registry, entry, "jwks.", lambda: _jwks(entry.values))
    nodes = given["keys"].value
    lines = [each.line for each in nodes] if isinstance(nodes, list) else [given["keys"].line]
    found = [
        _attempt(registry, entry, "keys.", lambda key=key: JWTKey(**key), line)  # type: ignore[misc]
        for key, line in zip(entry.values.get("keys", ()), lines, strict=False)
    ]
    return found if all(found) else None


def _jwks(values: Mapping[str, Any]) -> JWKS:
    given = {name: values[f"jwks.{name}"] for name in _JWKS if f"jwks.{name}" in values}
    ca = values.get("jwks.ca")
    tls = None if ca is None else ssl.create_default_context(cadata=ca)
    return JWKS(**given, insecure=values["jwks.insecure"], tls=tls)


def _attempt(registry: Registry, entry: Entry, prefix: str, make: Callable[[], _Made], line: int = 0) -> _Made | None:
    """Make a part; note why it cannot be, at the field that is to blame."""
    try:
        return make()
    except (TypeError, ValueError, OSError, ImportError) as error:
        message = _CLASS.sub("", str(error))
        if isinstance(error, ssl.SSLError):
            message = "ca is no certificate that openssl reads"
        words = re.findall(r"\w+", message)
        fields = [each.name for each in entry.kind.fields if each.name.startswith(prefix)]
        path = next((name for name in fields if name.removeprefix(prefix) in words), prefix.rstrip("."))
        message = f"{prefix.rstrip('.')}: {message}" if prefix else message
        registry.wrong(entry, path, Wrong(message, suggestion=_PAGE, line=line))
        return None


def scope_by(claim: str, policies: Policies) -> Callable[[Mapping[str, Any]], Scope]:
    """Return what finds the policies of a token by the groups that a claim of it names.

    The issuer has groups of its own: one that no policy is in grants nothing. So does a token without the claim.

    Args:
        claim: its name; with dots, a way through objects, as Keycloak's ``realm_access.roles``.
        policies: all policies.
    """

    def to_scope(claims: Mapping[str, Any]) -> Scope:
        known = set(policies.groups)
        return policies.scope(*(name for name in dict.fromkeys(_names(claims, claim)) if name in known))

    return to_scope


def _names(claims: Mapping[str, Any], claim: str) -> list[str]:
    """Return the names in a claim: a list of text, or one text with spaces (RFC 8693 section 4.2)."""
    found: Any = claims
    for part in (claim,) if claim in claims else claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if found is None:
        return []
    if isinstance(found, str):
        return found.split()
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        msg = f"the claim {claim!r} is neither text nor a list of text"
        raise ValueError(msg)
    return found
