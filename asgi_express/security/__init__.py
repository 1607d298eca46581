"""Who may do what: actors, policies, scopes and tokens."""

from asgi_express.security._conditions import OPERATORS
from asgi_express.security.actor import Actor
from asgi_express.security.challenge import Challenge
from asgi_express.security.context import acting, can, current_actor
from asgi_express.security.jwks import JWKS
from asgi_express.security.jwt import JWTValidator
from asgi_express.security.jwt_key import JWTKey
from asgi_express.security.marks import is_public, public
from asgi_express.security.origins import OriginPolicy
from asgi_express.security.policy import Condition, Policy
from asgi_express.security.provenance import cross_site
from asgi_express.security.scope import Decision, Effect, Policies, Scope
from asgi_express.security.tokens import Grant, TokenStore, TokenValidator

__all__ = [
    "JWKS",
    "OPERATORS",
    "Actor",
    "Challenge",
    "Condition",
    "Decision",
    "Effect",
    "Grant",
    "JWTKey",
    "JWTValidator",
    "OriginPolicy",
    "Policies",
    "Policy",
    "Scope",
    "TokenStore",
    "TokenValidator",
    "acting",
    "can",
    "cross_site",
    "current_actor",
    "is_public",
    "public",
]
