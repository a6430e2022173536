"""The page's server: for this machine alone unless another address is named, and then for those who know a secret."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from snnrl.errors import ConfigError, one_line
from snnrl.watching.page_files import TYPES, page_file

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import HTTPConnection

PORT = 8790
"""The port that is tried first."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def require_packages() -> None:
    """Raise a ConfigError unless what serves the page is installed."""
    missing = [name for name in ("starlette", "uvicorn", "websockets") if find_spec(name) is None]
    if missing:
        raise ConfigError(f'the page needs {" and ".join(missing)}; install by pip install "snnrl[watch]"')


def is_loopback(host: str) -> bool:
    """Whether a name or an address can be reached from this machine alone.

    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens.

    Args:
        host: a name or an address.
        port: ``None`` for :data:`PORT`, or a free one where that is taken.

    Raises:
        ConfigError: the address is not this machine's, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    except (OSError, ValueError) as error:
        raise ConfigError(f"host={host}: must be a name or an address of this machine ({one_line(error)})") from error
    for each in (PORT, 0) if port is None else (port,):
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((address[0], each, *address[2:]))
            found.listen()
        except OSError as error:
            found.close()
            if error.errno == errno.EADDRINUSE and port is None and each:
                continue
            name, value = ("host", host) if error.errno == errno.EADDRNOTAVAIL else ("port", each)
            raise ConfigError(f"{name}={value}: cannot be listened at ({one_line(error)}); must be another") from error
        return found
    raise AssertionError("one of the two ports is free")


class Server:
    """The page and its connections, served by a thread of its own from :meth:`start` to :meth:`stop`.

    Args:
        host: where to listen.
        port: ``None`` for the usual one, or a free one where that is taken.

    Attributes:
        readers: who is looking.
        address: what to open in a browser.

    Raises:
        ConfigError: a package is missing, or it cannot listen there.
    """

    def __init__(self, host: str = "127.0.0.1", port: int | None = None) -> None:
        require_packages()
        import uvicorn

        from snnrl.watching.readers import Readers

        self.readers = Readers()
        self._socket = listen(host, port)
        self._local = is_loopback(host)
        self._token = "" if self._local else secrets.token_urlsafe(16)
        named = f"[{host}]" if ":" in host else host
        self.address = f"http://{named}:{self._socket.getsockname()[1]}/"
        if self._token:
            self.address += f"?token={self._token}"
        config = uvicorn.Config(
            self._application(),
            log_level="error",
            access_log=False,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=10_000,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True, name="watch"
        )

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End all connections, and the thread."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()

    def _application(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import Response
        from starlette.routing import Route, WebSocketRoute
        from starlette.websockets import WebSocket

        async def page(request: Request) -> Response:
            name = request.url.path.removeprefix("/") or "index.html"
            if not self._may(request, secret=name == "index.html"):
                return Response("This page opens by the address that the command has printed.", 403, HEADERS)
            return Response(page_file(name), 200, {**HEADERS, "Content-Type": TYPES[name]})

        async def watch(connection: WebSocket) -> None:
            own = urlsplit(connection.headers.get("origin", "")).netloc == connection.headers.get("host")
            if own and self._may(connection):
                await self.readers.serve(connection)
            else:
                await connection.close(1008)

        names = ["", *TYPES]
        return Starlette(routes=[*(Route(f"/{name}", page) for name in names), WebSocketRoute("/watch", watch)])

    def _may(self, connection: HTTPConnection, *, secret: bool = True) -> bool:
        """Whether an answer is due: on this machine to those who came by its own name, elsewhere to who has the token.

        A page of a stranger whose name leads here by its own choice (DNS rebinding) has another name than ours.
        """
        if self._local:
            return is_loopback(urlsplit("//" + connection.headers.get("host", "")).hostname or "")
        given = connection.query_params.get("token", "")
        return not secret or secrets.compare_digest(given.encode(), self._token.encode())
