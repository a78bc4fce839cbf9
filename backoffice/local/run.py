"""`make run`: the whole product on this machine, in one terminal.

It starts PostgreSQL and Redis (services.py), migrates, loads the demo data the first time, and runs the sandbox
provider, the web server and one cluster until Ctrl-C. What it keeps is in `var/`. While it runs, `var/run.env` has
its settings, so that manage.py in another terminal reaches the same services.
"""

import fcntl
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import environ
import psycopg

from backoffice.environment import BEFORE_THERE_WERE_SEVERAL, SETTINGS, SettingError, account_variables, read
from backoffice.kinds import on_or_off
from backoffice.local import ROOT
from backoffice.local.children import Children, RunError, Stop
from backoffice.local.console import Console
from backoffice.local.provider import EXAMPLE, Played, played
from backoffice.local.secrets import kept_secrets
from backoffice.local.servers import ServiceError, ends_with_parent, free_port, write_private
from backoffice.local.services import Services, local_services

VAR = ROOT / "var"
RUN_ENV = VAR / "run.env"
WEB_START_SECONDS = 60
DRAIN_SECONDS = 15  # beside Q_TIMEOUT_SECONDS, which a task may take
STOP_SECONDS = 10


def main() -> int:
    console, stop = Console(), Stop()
    stop.listen()
    try:
        run(console, stop)
    except KeyboardInterrupt:
        console.break_line()
        console.say("Stopped.")
        return 0
    except (RunError, ServiceError, SettingError) as error:
        console.break_line()
        console.say(str(error))
        return 1
    return 0


def run(console: Console, stop: Stop) -> None:
    """Runs until it is interrupted. Raises RunError or ServiceError; everything is stopped in any case."""
    environ.Env.read_env(ROOT / ".env")
    port = _port(os.environ.get("PORT") or "8000")
    with ExitStack() as stack:
        _make_var()
        stack.enter_context(_only_run(port))
        _await_port(port)
        console.say("Starting: services", end="")
        settings = _settings(port)
        services = stack.enter_context(local_services(VAR))
        settings |= {"DATABASE_URL": services.application, "REDIS_URL": services.redis}
        sandbox = None
        if not (settings.get("PROVIDER_URL") or settings.get("PROVIDERS")):
            sandbox = played(settings, port=free_port(), web_port=settings["PORT"])
            settings |= sandbox.settings
        stack.callback(RUN_ENV.unlink, missing_ok=True)
        _tell_manage_py(settings)
        console.say(", migrations", end="")
        _refuse_another_versions_data(services)
        as_owner = settings | {"DATABASE_URL": services.database}
        _manage(as_owner, "migrate", "--verbosity", "0")
        demo = None
        if on_or_off(settings["DJANGO_DEBUG"]):
            console.say(", demo data", end="")
            demo = json.loads(_manage(as_owner, "demo", "--if-empty").splitlines()[-1])
        console.say(", web server, cluster", end="")
        children = Children(console)
        children.watch(services)
        try:
            _start_children(children, settings, sandbox)
            _await_web(children, port)
            console.say(" - ready.\n")
            console.say(_banner(settings, services, demo, sandbox.example if sandbox else EXAMPLE))
            console.release()
            while True:
                children.check()
                children.show_logs()
        finally:
            console.break_line()
            console.release()
            if stop.asked_at is not None:
                console.say("\nStopping; payments under way are finished first. Ctrl-C again kills.")
            stop.asked_at = stop.asked_at or time.monotonic()
            # The cluster drains while the provider still answers.
            children.stop(["web", "cluster"], read("Q_TIMEOUT_SECONDS") + DRAIN_SECONDS, stop)
            children.stop(["provider"], STOP_SECONDS, stop)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise RunError(f"PORT must be a number from 1 to 65535, and is {text}.")
    return int(text)


def _make_var() -> None:
    """Private; where we are root, PostgreSQL's user passes through to its data but lists nothing."""
    try:
        VAR.mkdir(exist_ok=True)
        VAR.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except PermissionError:
        raise RunError(f"{VAR} belongs to another user: run as that user, or use a clone of your own.") from None


@contextmanager
def _only_run(port: int) -> Iterator[None]:
    """Lets one run at a time have this clone: it holds var/run.lock, in which its address stands."""
    descriptor = os.open(VAR / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            address = lock.read().strip()
            raise RunError(f"This clone runs already, at {address}: stop that one first.") from None
        lock.truncate(0)
        lock.write(f"http://127.0.0.1:{port}/\n")
        lock.flush()
        yield


def _await_port(port: int) -> None:
    # A run that was killed leaves its run.env behind, and its web server may still be stopping.
    deadline = time.monotonic() + (5 if RUN_ENV.exists() else 0)
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if time.monotonic() > deadline:
                    raise RunError(
                        f"Port {port} cannot be used ({error.strerror}): set PORT to a free one, "
                        f"for example PORT={port + 1 if port < 65535 else 8000} make run."
                    ) from None
            else:
                return
        time.sleep(0.2)


def _settings(port: int) -> dict[str, str]:
    """For everything that is started: what is set, and what makes the product run here where nothing is.

    The sandbox's secrets are never sent to a provider of somebody's own. Raises RunError for a setting that means
    nothing.
    """
    made = {
        **kept_secrets(VAR),
        "DJANGO_DEBUG": "on",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "LOG_FORMAT": "console",
        "PORT": str(port),
        "API_ANONYMOUS_CLIENT": "demo",
    }
    given = {name: os.environ[name] for name in SETTINGS if os.environ.get(name, "").strip()}
    try:
        for name in given:
            read(name)
        for account in read("PROVIDERS"):
            given |= account_variables(account)
    except SettingError as error:
        raise RunError(str(error)) from None
    if BEFORE_THERE_WERE_SEVERAL in os.environ and "EVENT_HMAC_KEYS" not in given:
        old = os.environ[BEFORE_THERE_WERE_SEVERAL]
        made |= {BEFORE_THERE_WERE_SEVERAL: old, "INDEX_KEY": old, "EVENT_HMAC_KEYS": ""}
    if "PROVIDER_URL" in given or "PROVIDERS" in given:
        del made["PROVIDER_TOKEN"], made["PROVIDER_WEBHOOK_SECRET"]
    if "API_ANONYMOUS_CLIENT" in os.environ or not on_or_off(given.get("DJANGO_DEBUG", "on")):
        del made["API_ANONYMOUS_CLIENT"]
    return made | given


def _refuse_another_versions_data(services: Services) -> None:
    """Raises RunError when the database has had migrations that are not in the line of this version's.

    Later ones are let pass: old code runs beside new migrations.
    """
    ours = {file.stem for file in (ROOT / "payouts" / "migrations").glob("[0-9]*.py")}
    newest = max(ours)[:4]
    if not any(name[:4] <= newest for name in _migrations_done(services.database) - ours):
        return
    if "postgres" not in services.servers:
        raise RunError(
            "The database of DATABASE_URL was made by another version of the product, which this one cannot use: "
            "give it an empty one."
        )
    old = shlex.join(["rm", "-rf", str((VAR / "postgres").resolve()), str(VAR / "sandbox.sqlite3")])
    raise RunError(
        "The data in var/ was made by another version of the product, which this one cannot use: to start "
        f"anew without it, run {old}* and then make run again."
    )


def _migrations_done(database: str) -> set[str]:
    place = environ.Env.db_url_config(database)
    given = {"host": place["HOST"], "port": place["PORT"], "user": place["USER"], "password": place["PASSWORD"]}
    known = {name: value for name, value in given.items() if value}
    try:
        with psycopg.connect(dbname=place["NAME"], **known, **place.get("OPTIONS", {})) as connection:
            if connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,):
                return set()
            rows = connection.execute("SELECT name FROM django_migrations WHERE app = 'payouts'").fetchall()
    except psycopg.Error as error:
        raise RunError(f"The database does not answer: {error}") from None
    return {name for (name,) in rows}


def _tell_manage_py(settings: Mapping[str, str]) -> None:
    """settings.py reads the file, so that manage.py in another terminal has these settings too."""
    write_private(RUN_ENV, "".join(f"{name}='{value}'\n" for name, value in settings.items()))


def _manage(settings: Mapping[str, str], *arguments: str) -> str:
    """What the command prints. Raises RunError, with all that it printed, when it fails."""
    command = [sys.executable, "manage.py", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | settings,
        start_new_session=True,
        preexec_fn=ends_with_parent(signal.SIGTERM),
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise RunError(f"manage.py {arguments[0]} failed:\n{output}{errors}")
    return output


def _start_children(children: Children, settings: Mapping[str, str], sandbox: Played | None) -> None:
    port = settings["PORT"]
    if sandbox is not None:
        ledger = str(VAR / "sandbox.sqlite3")
        command = [sys.executable, "-m", "payouts.sandbox", "--port", str(sandbox.port), "--ledger", ledger]
        children.start("provider", command, {**settings, **sandbox.environment})
    children.start("web", [sys.executable, "-m", "backoffice.serve", "--port", port], settings)
    children.start("cluster", [sys.executable, "manage.py", "cluster"], settings)


def _await_web(children: Children, port: int) -> None:
    deadline = time.monotonic() + WEB_START_SECONDS
    while not _is_healthy(port):
        children.check()
        if time.monotonic() > deadline:
            raise RunError(f"The web server did not answer in {WEB_START_SECONDS} seconds.")
        children.show_logs()


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _provider(settings: Mapping[str, str]) -> str:
    """The sandbox's page, or who pays."""
    api = urlsplit(settings.get("PROVIDER_URL") or settings.get("PROVIDER_MAIN_API_URL", ""))
    played_at = f"{api.scheme}://{api.netloc}" if api.netloc else ""
    return " ".join(part for part in (played_at, settings.get("PROVIDERS", "")) if part)


def _banner(settings: Mapping[str, str], services: Services, demo: Mapping[str, Any] | None, example: str) -> str:
    address = f"http://127.0.0.1:{settings['PORT']}"
    lines = [
        f"  Back office   {address}/admin/",
        f"  API           {address}/api/docs/",
        f"  Provider      {_provider(settings)}",
        '  manage.py     make manage ARGS="…" in another terminal',
        *(f"  {server.note}" for server in services.servers.values()),
        "",
    ]
    key = "KEY"
    if demo is not None:
        key = demo["api_key"]
        lines += ["  Logins        " + "   ".join(f"{user} / {password}" for user, password in demo["logins"])]
        lines += [f"  API key       {key}", ""]
    payout = f'{{"user_id": 123, "amount": 100.50, {example}, "comment": "Оплата бонуса"}}'
    lines += [
        f"  curl {address}/api/payouts/ -H 'Authorization: Bearer {key}' \\",
        f"    -H 'Content-Type: application/json' -d '{payout}'",
        "",
        "  Ctrl-C stops everything; what is in var/ is kept.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
