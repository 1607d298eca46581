"""The gateway: a service from YAML files of entries, in the manner of Wippy.

::

    import asgi_express

    app = asgi_express.load("app.yaml")
"""

from asgi_express.gateway._gateway import Gateway
from asgi_express.gateway._load import check, load
from asgi_express.gateway._middleware import register
from asgi_express.gateway._objects import resource
from asgi_express.gateway._problems import GatewayError, Problem
from asgi_express.gateway._schema import schema
from asgi_express.gateway._service import TLS, Service

__all__ = ["TLS", "Gateway", "GatewayError", "Problem", "Service", "check", "load", "register", "resource", "schema"]
