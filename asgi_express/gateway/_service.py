"""What a server needs to know to serve one service."""

from __future__ import annotations

import math
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from asgi_express.types import ASGIApp

__all__ = ["TLS", "ClientAuth", "Service"]

ClientAuth = Literal["request", "require_any", "verify_if_given", "require_and_verify"]

# Python checks every certificate that it asks for: "request" and "require_any" refuse what the CA did not certify.
_REQUIREMENTS = {
    None: ssl.CERT_NONE,
    "request": ssl.CERT_OPTIONAL,
    "verify_if_given": ssl.CERT_OPTIONAL,
    "require_any": ssl.CERT_REQUIRED,
    "require_and_verify": ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class TLS:
    """The certificate of a service, and what it asks of clients.

    Attributes:
        cert: the certificate with its chain, as PEM text.
        key: its key, as PEM text; not shown.
        client_ca: who certifies clients, as PEM text; ``None`` for nobody.
        client_auth: whether a client needs a certificate; ``None`` for no.

    Example::

        TLS("certificate", "key")  # -> TLS("certificate", "key")
    """

    cert: str
    key: str = field(repr=False)
    client_ca: str | None = None
    client_auth: ClientAuth | None = None

    @property
    def requirement(self) -> ssl.VerifyMode:
        """What Python's TLS asks of clients.

        Example: ``TLS("certificate", "key").requirement`` is ``ssl.CERT_NONE``.
        """
        return _REQUIREMENTS[self.client_auth]

    def write(self, directory: str | os.PathLike[str]) -> dict[str, Path]:
        """Write what servers read from files, for this user's eyes only; return the paths by name.

        Args:
            directory: where to; it belongs to the caller, who removes it.

        Example::

            paths = TLS("certificate", "key").write(".")
            paths["key"].read_text()  # -> "key"
        """
        paths = {}
        for name in ("cert", "key", "client_ca"):
            text = getattr(self, name)
            if text is not None:
                path = paths[name] = Path(directory, f"{name}.pem")
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                    file.write(text)
        return paths


@dataclass(frozen=True, slots=True)
class Service:
    """One ``http.service``: its app, and how it is to be served.

    Attributes:
        id: the ID of the entry.
        app: the ASGI app; it follows reloads, and leaves the lifespan to the gateway.
        host: the address; ``"0.0.0.0"`` where the file names only a port.
        port: the TCP port.
        auto_start: whether it is served when nothing names the services.
        read_timeout: seconds that a client may take to send its request; ``None`` for any number. The app enforces it.
        write_timeout: seconds until the last byte of an answer, likewise.
        idle_timeout: seconds that a connection stays open without a request. The server enforces it.
        buffer_size: how many messages the inbox of a process, or of a client that is relayed, holds.
        worker_count: read, and without effect: a message is in its inbox when it has been sent, nobody carries it.
        start_timeout: seconds that its middleware may take to start. The gateway enforces it.
        stop_timeout: seconds that requests may take to end when the server stops. The server enforces it.
        depends_on: the IDs of what starts before it.
        tls: the certificate; ``None`` for plain HTTP.

    Example::

        service = load("app.yaml").services[0]
        service.id, service.port  # -> ("app:gateway", 8080)
    """

    id: str
    app: ASGIApp
    host: str
    port: int
    auto_start: bool = True
    read_timeout: float | None = None
    write_timeout: float | None = None
    idle_timeout: float | None = None
    buffer_size: int = 1024
    worker_count: int = 1
    start_timeout: float = 10.0
    stop_timeout: float = 10.0
    depends_on: tuple[str, ...] = ()
    tls: TLS | None = None

    @property
    def url(self) -> str:
        """Where it is found from this machine.

        Example: ``service.url`` is ``"http://127.0.0.1:8080"``.
        """
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def uvicorn_options(self, directory: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """Return the options of ``uvicorn.Config`` that the file decides, ``app`` apart.

        Args:
            directory: where to write the files of TLS; needed only with TLS.

        Raises:
            ValueError: there is TLS, and no directory.

        Example::

            service.uvicorn_options()["port"]  # -> 8080
        """
        options: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "timeout_graceful_shutdown": math.ceil(self.stop_timeout),
            "proxy_headers": False,  # uvicorn would believe proxies that real_ip is not told to trust
        }
        if self.idle_timeout is not None:
            options["timeout_keep_alive"] = math.ceil(self.idle_timeout)
        if self.tls is not None:
            if directory is None:
                msg = f"{self.id} has TLS: uvicorn_options() needs a directory for its files"
                raise ValueError(msg)
            paths = self.tls.write(directory)
            options |= {
                "ssl_certfile": str(paths["cert"]),
                "ssl_keyfile": str(paths["key"]),
                "ssl_cert_reqs": int(self.tls.requirement),
            }
            if "client_ca" in paths:
                options["ssl_ca_certs"] = str(paths["client_ca"])
        return options
