"""The web server: `python -m backoffice.serve` starts it, everywhere, with the one set of options.

The image, compose, Fly, `make run`, the bench, the drills and the tests all start this. PORT, WEB_CONCURRENCY,
WEB_THREADS and WEB_METRICS_PORT are read; what is served is backoffice.wsgi, behind the door (backoffice/door).
SIGTERM lets requests in hand finish.
"""

import argparse
import gc
import importlib
import logging
import os
import resource
import sys
from collections.abc import Sequence
from typing import Any

from granian._internal import load_target
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from backoffice import env_files, logs, web_figures
from backoffice.environment import SettingError, read, session_options

APPLICATION = "backoffice.wsgi:application"
# Whoever sends no headers, or slowly, holds a connection for so long, and nothing else; so does an idle connection.
HEADERS_WITHIN_SECONDS = 30
# A person or a program that waits for a locked row hears so after this, and its thread is free again.
LOCK_TIMEOUT_MS = 5_000
STOP_WITHIN_SECONDS = 30
# A connection costs a file, and idle ones cost nothing else. Many machines begin with 1,024.
FILES = 65_536


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m backoffice.serve", description="The web server.")
    parser.add_argument("--host", default="127.0.0.1", help="where it listens (127.0.0.1: this machine alone)")
    parser.add_argument("--port", type=int, help="PORT by default")
    parser.add_argument("--application", default=APPLICATION, help="what is served: a WSGI application's name")
    given = parser.parse_args(arguments)
    env_files.read()
    try:
        port, processes = given.port or read("PORT"), read("WEB_CONCURRENCY") or os.process_cpu_count() or 1
        threads, metrics_port = read("WEB_THREADS"), read("WEB_METRICS_PORT")
        level, form = read("LOG_LEVEL").upper(), read("LOG_FORMAT")
    except SettingError as error:
        parser.error(str(error))
    if processes < 1 or threads < 1:
        parser.error("WEB_CONCURRENCY and WEB_THREADS must be 1 or more.")
    if level not in logging.getLevelNamesMapping():
        parser.error("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
    allow_many_files()
    if metrics_port:
        web_figures.serve(given.host, metrics_port)  # a process of its own, forked while there is little to copy
    logs.to_stdout()
    try:
        load()
    except SettingError as error:
        parser.error(str(error))
    lines = logs.configuration(level=level, form=form)
    server(given.application, given.host, port, processes, lines).serve(target_loader=open_door)


def server(application: str, host: str, port: int, processes: int, lines: dict[str, Any]) -> MPServer:
    return MPServer(
        application,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        workers=processes,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_WITHIN_SECONDS * 1000),
        websockets=False,
        backlog=2_048,
        # Counts connections, idle ones too: never the limit here.
        backpressure=FILES,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_WITHIN_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig=lines,
    )


def load() -> None:
    """All that is imported, once, before the processes fork from this one: most of a start, and of their memory.

    It connects to nothing and starts no thread, which would not outlive a fork. Raises SettingError.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
    import django

    django.setup(set_prefix=False)
    importlib.import_module("backoffice.urls")
    gc.freeze()


def open_door(application: str) -> Any:
    """In each process: the product, and the door before it."""
    from django.conf import settings

    settings.DATABASE_SESSION["lock_timeout"] = LOCK_TIMEOUT_MS
    if not settings.DATABASE_POOLER:
        settings.DATABASES["default"]["OPTIONS"]["options"] = session_options(settings.DATABASE_SESSION)
    wsgi: Any = load_target(application)
    from backoffice.door import Door

    return Door(wsgi, read("WEB_THREADS"), web_figures.figures())


def allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
