"""From settings to a server that listens and stops in good order."""

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from kivuko.errors import ConfigError
from kivuko.web.connection import Connection


def bind(host: str, port: int) -> socket.socket:
    """Take a port before anything is loaded; 0 takes a free one.

    Raises:
        ConfigError: If the address is taken or not of this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ConfigError(f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another --port.") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the address of the page."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def server_config(app: FastAPI, *, patience: float, connection: type[Connection] = Connection) -> uvicorn.Config:
    """Say how an app is served.

    Args:
        app: What to serve.
        patience: Seconds that what came may still take when the server is told to stop.
        connection: How connections are held.
    """
    return uvicorn.Config(
        app,
        http=connection,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=20,
        timeout_graceful_shutdown=int(patience) + 1,
    )


def run_server(app: FastAPI, listener: socket.socket, *, patience: float, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; then accept nothing new, finish what came, and return.

    Args:
        app: What to serve.
        listener: Where; it is closed in the end.
        patience: Seconds that what came may still take.
        ready: Called when connections are accepted.
    """
    config = server_config(app, patience=patience)
    listener.listen(config.backlog)
    ready()
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
