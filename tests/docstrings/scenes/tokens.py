"""JSON Web Tokens, the keys of an issuer, and from where a request comes."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

from asgi_express.security import JWKS, JWTKey, JWTValidator, OriginPolicy, Policies, Policy
from asgi_express.security.jwks import Document
from tests.docstrings.scene import Ask, Names, Scene
from tests.docstrings.scenes.guards import decides
from tests.security.signing import jwk, pem, private_key, sign, signer

ISSUER = "https://login.example.com"
SECRET = "at least 32 bytes that nobody knows"
HEADER = b"eyJhbGciOiJIUzI1NiJ9.e30"
EVIL = "https://evil.example"


async def published(url: str) -> Document:
    return Document(json.dumps({"keys": [jwk("ES256", kid="2026-11")]}).encode())


def key_set() -> JWKS:
    return JWKS(f"{ISSUER}/jwks", fetch=published)


def token(algorithm: str = "HS256", **more: Any) -> str:
    now = time.time()
    return sign(algorithm, **{"iss": ISSUER, "aud": "articles", "exp": now + 60, "iat": now, **more})


def taking(names: Names) -> None:
    names["app"].post("/{*rest}", lambda req, res: res.send("done"))


def post(target: str, status: int, **headers: str) -> Ask:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Ask(f"POST {target}", status=status, headers={"host": "own.example", **sent})


async def fetch_through_it(names: Names) -> None:
    names["document"] = await names["through_the_proxy"]("https://login.example.com/jwks")


async def answer(url: str) -> Any:
    return SimpleNamespace(content=b"{}")


async def open_a_chat(names: Names) -> None:
    """Open one as a page of another site, and one as a page that is trusted."""
    names["closed"] = closed = []
    for origin in (EVIL, "https://app.example.com"):

        async def close(code: int, origin: str = origin) -> None:
            closed.append((origin, code))

        scope = {"type": "websocket", "scheme": "wss", "headers": [(b"origin", origin.encode())]}
        await names["chat"](SimpleNamespace(scope=scope, close=close))


def policy(**options: Any) -> Names:
    given: Any = {"origins": lambda origin: origin == "https://app.example.com", **options}
    return {"policy": OriginPolicy(**given), "scope": {}}


SCENES: dict[str, Scene] = {
    "middleware.csrf.CSRF#1": Scene(
        then=taking, asks=[post("/", 200, origin="https://own.example"), post("/", 403, origin=EVIL)]
    ),
    "middleware.csrf.CSRF#2": Scene(
        then=taking,
        asks=[
            post("/", 200, origin="https://a.partner.example"),
            post("/", 403, origin=EVIL),
            post("/hooks/paid", 200, origin=EVIL),
            post("/", 200, cookie="a=1"),
        ],
    ),
    "security._fetch.Document": Scene(
        names=lambda: {"client": SimpleNamespace(get=answer)},
        then=fetch_through_it,
        gives={"document": Document(b"{}", 600)},
    ),
    "security.jwks.JWKS#1": decides("repr(values[0])", f"<JWKS {ISSUER}/.well-known/jwks.json>"),
    "security.jwks.JWKS#2": decides("repr(values[0])", f"<JWKS {ISSUER}/.well-known/openid-configuration>"),
    "security.jwks.JWKS.find": Scene(
        names=lambda: {"jwks": key_set()}, gives={"[key.kid for key in keys]": ["2026-11"]}
    ),
    "security.jwt.JWTKeys.find": Scene(
        names=lambda: {"source": key_set()}, gives={"[key.kid for key in keys]": ["2026-11"]}
    ),
    "security.jwt.JWTValidator#1": Scene(
        names=lambda: {"token": token(key=SECRET)}, gives={"(await values[0].validate(token)).actor.id": "ada"}
    ),
    "security.jwt.JWTValidator#2": Scene(
        names=lambda: {
            "published": published,
            "policies": Policies([Policy("readers", "read", "*", groups="users")]),
            "token": token(
                "ES256",
                header={"typ": "at+jwt", "kid": "2026-11"},
                aud="https://api.example.com",
                client_id="app",
                jti="7",
                groups=["users"],
            ),
        },
        swap={'/jwks.json")': '/jwks.json", fetch=published)'},
        gives={"[policy.name for policy in (await values[0].validate(token)).scope]": ["readers"]},
    ),
    "security.jwt.JWTValidator.validate": Scene(
        names=lambda: {
            "validator": JWTValidator(keys=JWTKey(SECRET, "HS256"), issuer=ISSUER, audience="articles"),
            "token": token(key=SECRET),
        },
        gives={"grant.actor.id": "ada"},
    ),
    "security.jwt_key.JWTKey#1": decides("(values[0].algorithm, values[0].kid)", ("HS256", None)),
    "security.jwt_key.JWTKey#2": Scene(
        names=lambda: {"public_key_in_pem": pem(private_key("ES256"))},
        gives={"(values[0].algorithm, values[0].kid)": ("ES256", "2026-11")},
    ),
    "security.jwt_key.JWTKey.from_jwk": decides("values[0].algorithm", "EdDSA"),
    "security.jwt_key.JWTKey.verifies": Scene(
        names=lambda: {
            "key": JWTKey(SECRET, "HS256"),
            "signature": signer("HS256").sign(HEADER, SECRET.encode()),
        },
        gives={"values": [True]},
    ),
    "security.origins.OriginPolicy#1": Scene(
        gives={
            "await values[0].allows('https://a.example.org', {})": True,
            "await values[0].allows('https://example.org', {})": False,
        }
    ),
    "security.origins.OriginPolicy#2": Scene(
        names=lambda: {"tenants": {"http://a.example"}},
        gives={
            "await values[0].allows('http://a.example', {})": True,
            "await values[0].allows('http://b.example', {})": False,
        },
    ),
    "security.origins.OriginPolicy.settled": Scene(
        names=lambda: policy(origins="https://app.example.com"), gives={"values": [True]}
    ),
    "security.origins.OriginPolicy.allows": Scene(names=policy, gives={"trusted": True}),
    "security.origins.OriginPolicy.asked": Scene(names=policy, gives={"trusted": True}),
    "security.provenance.cross_site": Scene(then=open_a_chat, gives={"closed": [(EVIL, 1008)]}),
}
