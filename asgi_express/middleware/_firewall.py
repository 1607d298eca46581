"""What the firewalls share: the facts of a request, the verdict, the record of it, and the answer."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from inspect import iscoroutinefunction
from typing import Literal, TypeAlias

from asgi_express._flags import check_flags
from asgi_express._memo import Memo
from asgi_express._scope import ACTOR, SECURITY_SCOPE
from asgi_express.middleware._ambiguous import ambiguity
from asgi_express.middleware._deferred import Deferred
from asgi_express.middleware._matched import Matched, Unmatched, matched, method_of
from asgi_express.middleware._respond import respond
from asgi_express.security import Actor, Challenge, Decision, Policy
from asgi_express.security import Scope as Policies
from asgi_express.types import ASGIApp, Receive, Scope, Send

__all__ = ["ACTOR", "CHALLENGE", "SECURITY_SCOPE", "VERDICT", "Audit", "Firewall", "Verdict"]

CHALLENGE = "asgi_express.challenge"
"""The scope key of what a refusal says."""

VERDICT = "asgi_express.verdict"
"""The scope key of the verdict of the innermost firewall."""

_log = logging.getLogger("asgi_express.firewall")

# Verdicts that are kept, and the characters of the longest: half a MiB.
_KEPT, _MAX_KEPT = 1024, 256

Reason: TypeAlias = Literal["public", "policy", "default", "no actor", "no match", "ambiguous path"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a firewall decides about a request, and why.

    Attributes:
        allowed: whether the request may pass.
        reason: ``"policy"`` (the one that is named), ``"default"`` (no policy applied), ``"public"`` (the route is
            marked), ``"no actor"``, ``"no match"`` (no route is known here), or ``"ambiguous path"``.
        policy: the name of the policy that decided.
        actor: the id of the actor.
        action: what is done.
        resource: with what; ``None`` where no route is known.
        method: the method that the route serves the request with.
        enforced: whether the firewall does what it decides.
        detail: what makes the path ambiguous, or why no route is known.
    """

    allowed: bool
    reason: Reason
    policy: str | None
    actor: str | None
    action: str
    resource: str | None
    method: str
    enforced: bool
    detail: str | None = None


_Decided: TypeAlias = tuple[bool, str | None, str, str, str]
"""Whether it is allowed, the policy, the actor, the resource and the method."""

Audit: TypeAlias = Callable[[Verdict], object]


class Firewall(ABC):
    """Decide whether an actor may do something with one resource; tell; and refuse."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        action: str,
        default_policy: Literal["deny", "allow"],
        policies: Iterable[Policy],
        enforce: bool,
        strict_paths: bool,
        audit: Audit | None,
        on_refused: ASGIApp | None,
    ) -> None:
        kind = type(self).__name__
        if not isinstance(action, str) or not action:
            msg = f"{kind}: action must be text that is not empty, not {action!r}"
            raise ValueError(msg)
        if default_policy not in ("deny", "allow"):
            msg = f"{kind}: default_policy must be 'deny' or 'allow', not {default_policy!r}"
            raise ValueError(msg)
        check_flags(kind, enforce=enforce, strict_paths=strict_paths)
        if audit is not None and (not callable(audit) or iscoroutinefunction(audit)):
            msg = f"{kind}: audit must be a function that is not async, not {audit!r}"
            raise ValueError(msg)
        if on_refused is not None and not callable(on_refused):
            msg = f"{kind}: on_refused must be an ASGI app, not {on_refused!r}"
            raise ValueError(msg)
        self.app = app
        self._action = action
        self._default = default_policy
        self._policies = Policies(policies)
        self._enforce = enforce
        self._strict = strict_paths
        self._audit = _log_verdict if audit is None else audit
        self._on_refused = _refuse if on_refused is None else on_refused
        self._verdicts: Memo[_Decided, Verdict] = Memo(_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self._other(scope, receive, send)
            return
        found = self._find(scope)
        verdict = self._path_verdict(scope) if self._strict else None
        if verdict is None:
            if type(found) is Unmatched and found.kind != "unknown":
                await self._without_route(scope, receive, send)
                return
            verdict = self._verdict_on_found(scope, found)
        if self._judge(scope, verdict):
            await self.app(scope, receive, send)
        else:
            await self._on_refused(scope, receive, send)

    def explain(self, scope: Scope) -> Verdict:
        """Return what is decided about a request, and why; nothing is recorded or refused.

        Args:
            scope: of the request, after the match.

        Example::

            firewall = ResourceFirewall(target="reports")
            firewall.explain(scope).reason  # -> "no actor"
        """
        found = self._find(scope)
        verdict = self._path_verdict(scope) if self._strict else None
        return self._verdict_on_found(scope, found) if verdict is None else verdict

    @abstractmethod
    def _find(self, scope: Scope) -> Matched | Unmatched:
        """Return what it decides on."""

    @abstractmethod
    def _verdict_on_found(self, scope: Scope, found: Matched | Unmatched) -> Verdict:
        """Decide."""

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass what is no request."""
        await self.app(scope, receive, send)

    async def _without_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on where there is no route to decide on, or none yet."""

        def decide(scope: Scope) -> bool:
            found = matched(scope) or Unmatched("unknown", "an app is mounted there, and may run anything")
            return self._judge(scope, self._verdict_on_found(scope, found))

        def stray(scope: Scope) -> bool:
            found = Unmatched("unknown", "what answered is no route")
            return self._judge(scope, self._verdict_on_found(scope, found))

        await Deferred(decide, self._on_refused, stray).run(self.app, scope, receive, send)

    def _path_verdict(self, scope: Scope) -> Verdict | None:
        why = ambiguity(scope)
        if why is None:
            return None
        return self._verdict(scope, None, method_of(scope), allowed=False, reason="ambiguous path", detail=why)

    def _judge(self, scope: Scope, verdict: Verdict) -> bool:
        """Record a verdict; tell whether the request may pass."""
        scope[VERDICT] = verdict
        self._audit(verdict)
        return verdict.allowed or not self._enforce

    def _decide(self, scope: Scope, resource: str, found: Matched) -> Verdict:
        actor = scope.get(ACTOR)
        if not isinstance(actor, Actor):
            return self._verdict(scope, resource, found.method, allowed=False, reason="no actor")
        effect, name = self._of(self._policies, actor, resource, found)
        granted = scope.get(SECURITY_SCOPE)
        if isinstance(granted, Policies):
            # What denies counts before what allows, wherever it stands; of equals, that of the token is named.
            also, named = self._of(granted, actor, resource, found)
            if also == "deny" or effect in ("undefined", also):
                effect, name = also, named
        allowed = effect == "allow" or (name is None and self._default == "allow")
        key = allowed, name, actor.id, resource, found.method
        return self._verdicts.get(key) or self._remember(key)

    def _remember(self, key: _Decided) -> Verdict:
        """Make a verdict, which takes 0.7 us, and keep it, as nobody can change it: 0.2."""
        allowed, name, actor, resource, method = key
        reason: Reason = "default" if name is None else "policy"
        verdict = Verdict(allowed, reason, name, actor, self._action, resource, method, self._enforce)
        if len(actor) + len(resource) + len(method) <= _MAX_KEPT:
            self._verdicts.keep(key, verdict)
        return verdict

    def _is_settled(self, scope: Scope, resource: str) -> bool:
        """Tell whether a decision depends on the actor and the resource alone."""
        granted = scope.get(SECURITY_SCOPE)
        return self._settled(self._policies, resource) is not None and (
            not isinstance(granted, Policies) or self._settled(granted, resource) is not None
        )

    def _settled(self, policies: Policies, resource: str) -> Decision | None:
        """Return what a set of policies says whoever asks; a class of somebody's own may decide otherwise."""
        return policies.settled(self._action, resource) if type(policies) is Policies else None

    def _of(self, policies: Policies, actor: Actor, resource: str, found: Matched) -> Decision:
        """Return what a set of policies says; the facts of the request are gathered only where they matter."""
        settled = self._settled(policies, resource)
        return policies.decide(actor, self._action, resource, found.meta) if settled is None else settled

    def _verdict(
        self,
        scope: Scope,
        resource: str | None,
        method: str,
        *,
        allowed: bool,
        reason: Reason,
        policy: str | None = None,
        detail: str | None = None,
    ) -> Verdict:
        actor = actor_of(scope)
        known = None if actor is None else actor.id
        return Verdict(allowed, reason, policy, known, self._action, resource, method, self._enforce, detail)


def actor_of(scope: Scope) -> Actor | None:
    """Return the actor of a request; what is something else is nobody."""
    actor = scope.get(ACTOR)
    return actor if isinstance(actor, Actor) else None


def _log_verdict(verdict: Verdict) -> None:
    # JSON in ASCII: an id that somebody chose cannot begin a new line.
    level = logging.INFO if verdict.allowed else logging.WARNING
    if _log.isEnabledFor(level):
        _log.log(level, "%s", json.dumps(asdict(verdict)))


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 401, 403, 400 for a path, or what the challenge says is wrong with the token."""
    verdict: Verdict = scope[VERDICT]
    if verdict.reason == "ambiguous path":
        await respond(scope, send, 400, _PLAIN, _BODIES[400])
        return
    prepared = scope.get(CHALLENGE)
    challenge = prepared if isinstance(prepared, Challenge) else Challenge()
    challenges = challenge.headers
    if actor_of(scope) is not None:
        challenge = challenge.because("insufficient_scope")
        challenges = challenge.headers if challenge.scheme == "Bearer" and prepared is not None else []
    await respond(scope, send, challenge.status, [*_PLAIN, *challenges], _BODIES[challenge.status])


_PLAIN = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
_BODIES = {400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 503: b"Service Unavailable"}
