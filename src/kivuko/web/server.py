"""From settings to a server that listens and stops in good order."""

import os
import socket
import sys
from collections.abc import Callable
from time import monotonic

import uvicorn
from fastapi import FastAPI

from kivuko.errors import ConfigError
from kivuko.web.connection import Connection

WAITING = 2_048  # connections that the system keeps until they are accepted
INTERRUPTED = 130  # exit code


def bind(host: str, port: int) -> socket.socket:
    """Take a port before anything is loaded, and listen; 0 takes a free one.

    Callers that come before the server runs wait for it. A port that nobody listens on could be taken twice: with
    SO_REUSEADDR, which a server needs that is started anew, Linux refuses only the ports that somebody listens on.

    Raises:
        ConfigError: If the address is taken or not of this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(WAITING)
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
        backlog=WAITING,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=int(patience) + 1,
    )


class _Server(uvicorn.Server):
    """Tells its app until when it may take to stop."""

    def __init__(self, app: FastAPI, *, patience: float) -> None:
        super().__init__(server_config(app, patience=patience))
        self._app, self._patience = app, patience

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.stop_by = monotonic() + self._patience
        await super().shutdown(sockets)


def run_server(app: FastAPI, listener: socket.socket, *, patience: float, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; then accept nothing new, finish what came, and go the way of that signal.

    Args:
        app: What to serve.
        listener: Where; it is closed in the end.
        patience: Seconds that what came may still take.
        ready: Called when requests are answered.
    """
    ready()
    with listener:
        try:
            _Server(app, patience=patience).run(sockets=[listener])
        except KeyboardInterrupt:
            if getattr(app.state, "unfinished", True):
                # Python would wait for the threads that compute what nobody waits for.
                sys.stdout.flush()
                sys.stderr.write("interrupted\n")
                sys.stderr.flush()
                os._exit(INTERRUPTED)
            raise
