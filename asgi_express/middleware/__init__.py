"""The middleware: plain ASGI classes, for this package's routers and for any other host.

Each takes the app first (inside a router it is left out) and its options by keyword.
"""

from asgi_express.middleware.compress import Compress
from asgi_express.middleware.cors import CORS
from asgi_express.middleware.csrf import CSRF
from asgi_express.middleware.endpoint_firewall import EndpointFirewall
from asgi_express.middleware.error_handler import ErrorHandler
from asgi_express.middleware.metrics import Metrics
from asgi_express.middleware.otel import OTel
from asgi_express.middleware.ratelimit import RateLimit
from asgi_express.middleware.real_ip import RealIP
from asgi_express.middleware.resource_firewall import ResourceFirewall
from asgi_express.middleware.sendfile import Sendfile
from asgi_express.middleware.session import Session
from asgi_express.middleware.sse_relay import SSERelay
from asgi_express.middleware.token_auth import TokenAuth
from asgi_express.middleware.websocket_relay import WebSocketRelay

__all__ = [
    "CORS",
    "CSRF",
    "Compress",
    "EndpointFirewall",
    "ErrorHandler",
    "Metrics",
    "OTel",
    "RateLimit",
    "RealIP",
    "ResourceFirewall",
    "SSERelay",
    "Sendfile",
    "Session",
    "TokenAuth",
    "WebSocketRelay",
]
