"""The HTTP server: a thread of its own, and nobody can hold it up."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from threading import Thread
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.server import TcpWSGIServer

from eds_core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LIMITS: Mapping[str, Any] = {
    "threads": 2,
    "connection_limit": 64,
    "backlog": 64,
    "channel_timeout": 10,  # seconds without a byte
    "cleanup_interval": 2,
    "max_request_header_size": 8192,
    "max_request_body_size": 1024,
    "asyncore_use_poll": True,
    "log_socket_errors": False,
    "ident": "eds",
}


class HttpServer:
    """Serves *app* from the moment it is made until ``close``.

    Waitress takes requests and hands out answers in one thread that waits for
    nobody; a request that is whole is answered by one of two others.
    """

    def __init__(
        self, app: WSGIApplication, host: str, port: int, longest: float = 20
    ) -> None:
        """*longest*: seconds that a connection may take in all.

        Raises ConfigError when it cannot listen there.
        """
        # Whoever asks too much must not fill the log, too.
        logging.getLogger("waitress").setLevel(logging.ERROR)
        self._socket = _listen(host, port)
        self._sockets: dict[int, Any] = {}
        self._server = _Server(
            app,
            map=self._sockets,
            _sock=self._socket,
            bind_socket=False,
            sockinfo=(self._socket.family, self._socket.type, 0, None),
            **_LIMITS,
        )
        self._server.longest = longest
        self._thread = Thread(target=self._server.run, name="eds-http", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def close(self) -> None:
        """Hang up on everybody; twice is fine."""
        if self._thread.is_alive():
            self._server.trigger.pull_trigger(self._hang_up)
            self._thread.join()
            self._server.task_dispatcher.shutdown()

    def _hang_up(self) -> None:
        """In the server's thread, which ends when no socket is left."""
        wasyncore.close_all(self._sockets)


class _Server(TcpWSGIServer):  # type: ignore[misc]  # waitress ships no types
    """Waitress's own limit is between two bytes: a drop at a time can last for ever."""

    longest: float

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for channel in self.active_channels.values():
            if channel.creation_time < now - self.longest:
                channel.will_close = True


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(
            address[:2], family=family, dualstack_ipv6=host == "::"
        )
    except (OSError, UnicodeError) as error:  # a name may be none at all
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"cannot listen on {host} port {port} for health and metrics: {reason}",
            advice="name another port with --health-port, or `--health-port off`",
        ) from error
