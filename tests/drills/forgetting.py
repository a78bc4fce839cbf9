"""The database forgets payments that the provider has made: a backup put back, a standby promoted, commits lost.

And a copy of the database, started elsewhere, pays nothing.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from backoffice.local.postgres import POSTGRES_OPTIONS, postgres_server
from backoffice.local.servers import Server
from backoffice.local.services import Services, in_database
from tests.bench.stand import Stand
from tests.copies import copying
from tests.drills.ground import SHORT_LEASES, Drill, Ground, Provider, Result, ground, prepare, until
from tests.drills.services import Postgres

# The longest that PostgreSQL takes to write what it has confirmed, where it does not write before it confirms.
FORGETFUL = {**POSTGRES_OPTIONS, "synchronous_commit": "off", "wal_writer_delay": "10s"}
SWEEPS = 3


@dataclass(frozen=True)
class Numbers:
    known: int
    """Payouts that the older state of the database has, unpaid."""
    forgotten: int
    """Payouts that it does not have; their clients ask again, under the same keys."""
    lost: int = 0
    """Payouts that it does not have, and whose clients have no key under which to ask again."""


def restore(stand: Stand, numbers: Numbers) -> Result:
    """Yesterday's backup is put back."""
    with ground(stand, "restore") as here:
        provider = here.start_provider()
        work_once(here, provider)
        submit(here, numbers.known, "known")
        backup = _copy_of(stand, here)
        pay_and_stop(here, provider, numbers)
        with psycopg.connect(stand.services.database, autocommit=True) as server:
            server.execute(f"DROP DATABASE {here.name} WITH (FORCE)")
            server.execute(f"ALTER DATABASE {backup} RENAME TO {here.name}")
        return paid_once(here, provider, numbers, "a backup put back")


def failover(stand: Stand, numbers: Numbers) -> Result:
    """The primary is lost, and a standby that lacks its last commits is promoted."""
    with ExitStack() as stack:
        old, new = (_data_folder(stand, name) for name in ("primary", "standby"))
        _copy_data(old, new)
        first = _on_own_server(stand, stack, old, POSTGRES_OPTIONS)
        here = Ground(first, "failover")
        stack.enter_context(here.stack)
        provider = here.start_provider()
        work_once(here, provider)
        submit(here, numbers.known, "known")
        standby = stack.enter_context(_standby(old, new))
        _await_same(here, standby)
        (new / "feed").unlink()
        pay_and_stop(here, provider, numbers)
        Postgres(first).kill()
        _promote(standby, new / "postgres" / "data")
        _turn_to(here, standby)
        return paid_once(here, provider, numbers, "a standby promoted")


def lost_commit(stand: Stand, numbers: Numbers) -> Result:
    """The server confirms what it has not written, and is killed while the provider pays."""
    with ExitStack() as stack:
        first = _on_own_server(stand, stack, _data_folder(stand, "forgetful"), FORGETFUL)
        here = Ground(first, "lost_commit")
        stack.enter_context(here.stack)
        provider = here.start_provider()
        submit(here, numbers.known, "known")
        with psycopg.connect(here.services.database, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = on")
            connection.execute("CREATE TABLE written ()")  # and so is all that came before
        provider.tell("hold")
        server = Postgres(first)
        here.start_cluster(provider, **SHORT_LEASES)
        until(lambda: provider.calls["POST"] >= numbers.known, "all are with the provider")
        server.kill()
        provider.tell("let go")
        server.start()
        server.await_answer()
        seconds = here.await_processed(numbers.known)
        result = Result(
            f"killed with {numbers.known} at the provider: {len(provider.payments)} payments for them, "
            f"all processed after {seconds:.0f} s"
        )
        return here.judge(result, provider)


def copy(stand: Stand, numbers: Numbers) -> Result:
    """A copy of the database, under another INSTALLATION's name, with payouts that are due."""
    with ground(stand, "copy") as here:
        ours, theirs = here.start_provider(), here.start_provider()
        cluster = here.start_cluster(ours)
        submit(here, numbers.known, "known")
        here.await_processed(numbers.known)
        cluster.program.stop()
        submit(here, numbers.forgotten, "due")
        name = _copy_of(stand, here)
        here.start_cluster(ours)
        here.await_processed(numbers.known + numbers.forgotten)
        home = here.settings["DATABASE_URL"]
        elsewhere = urlsplit(home)._replace(path=f"/{name}").geturl()
        here.settings["DATABASE_URL"] = elsewhere
        copied = here.start_cluster(theirs, waits=False, INSTALLATION="staging", SWEEP_SECONDS="1")
        until(
            lambda: copied.log.count("payments_stopped") >= SWEEPS, "the copy stops", say=lambda: copied.log[-2000:]
        )
        copied.program.stop()
        here.settings["DATABASE_URL"] = home
        result = Result(
            f"{numbers.forgotten} due in a copy, {sum(theirs.calls.values())} calls in {SWEEPS} sweeps of its "
            "cluster; the original pays all"
        )
        result.expect(not theirs.calls, f"the copy called its provider: {theirs.calls}")
        return here.judge(result, ours)


def work_once(here: Ground, provider: Provider) -> None:
    """A cluster has been here, so the database knows what it is."""
    here.start_cluster(provider).program.stop()


def submit(here: Ground, count: int, keys: str) -> None:
    hands = here.start_hands()
    hands.do("submit", count, keys=keys)
    hands.stop()


def pay_and_stop(here: Ground, provider: Provider, numbers: Numbers) -> None:
    """What will be forgotten: all of it is paid, and nobody is left who works."""
    cluster = here.start_cluster(provider)
    submit(here, numbers.forgotten, "forgotten")
    submit(here, numbers.lost, "")
    here.await_processed(numbers.known + numbers.forgotten + numbers.lost)
    cluster.program.stop()


def paid_once(here: Ground, provider: Provider, numbers: Numbers, what: str) -> Result:
    """The work begins again on what is left, and clients ask again for what is not."""
    count = numbers.known + numbers.forgotten
    result = Result("")
    left = here.statuses()
    result.expect(left == {"pending": numbers.known}, f"it had forgotten other things: {left}")
    looked_before = provider.calls["GET"]
    here.start_cluster(provider)
    until(lambda: here.count("payouts_recovery", "ended_at IS NULL"), "recovery mode", 60)
    submit(here, numbers.forgotten, "forgotten")
    seconds = here.await_processed(count)
    (reason,) = here.query("SELECT reason FROM payouts_recovery")[0]
    looked = provider.calls["GET"] - looked_before
    result.figure = (
        f"{what}: {numbers.known} paid since, {numbers.forgotten} asked for since: {len(provider.payments)} payments "
        f"for {count} payouts; recovery mode ({reason.split(' ')[0]}), {looked} look-ups first; "
        f"all processed again after {seconds:.0f} s"
    )
    result.expect(looked >= count, f"only {looked} look-ups before they were paid")
    red = _reconciled(here, provider) if numbers.lost else {}
    if numbers.lost:
        result.figure += f"; {len(red)} of {numbers.lost} that had no key are red after the provider's report"
    result.expect(list(red.values()) == ["100.50"] * numbers.lost, f"red, with their amounts: {red}")
    return here.judge(result, provider, lost=red)


def _reconciled(here: Ground, provider: Provider) -> dict[str, str]:
    """The keys and amounts of the payments that are red once the provider's whole report was uploaded."""
    lines = [f"{each['reference']},succeeded,{each['amount']}" for each in provider.payments]
    hands = here.start_hands()
    red: dict[str, str] = hands.do("reconcile", "\n".join(["reference,status,amount", *lines]))
    hands.stop()
    return red


def _copy_of(stand: Stand, here: Ground) -> str:
    """The name of a database that is as this ground's is now."""
    name = f"{here.name}_copy"
    with psycopg.connect(stand.services.database, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [here.name])
        for statement in copying(here.name, name):
            server.execute(statement)
    return name


# Servers of a drill's own


def _data_folder(stand: Stand, name: str) -> Path:
    """Where `postgres_server` has made its data, with nothing running on it."""
    folder = stand.folder / name
    folder.mkdir(mode=0o711)
    with postgres_server(folder, POSTGRES_OPTIONS):
        return folder


def _on_own_server(stand: Stand, stack: ExitStack, folder: Path, options: dict[str, str]) -> Stand:
    """A prepared stand on a PostgreSQL of its own."""
    server = stack.enter_context(postgres_server(folder, options))
    services = Services(server.url, stand.services.redis, {"postgres": server}, server.application)
    own = Stand(stand.folder, services, stack)
    prepare(own)
    return own


def _copy_data(old: Path, new: Path) -> None:
    """Nothing may run on either."""
    source, target = ((folder / "postgres").resolve() / "data" for folder in (old, new))
    owner = target.stat()
    shutil.rmtree(target)
    shutil.copytree(source, target, symlinks=True)
    for path in (target, *target.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextmanager
def _standby(primary: Path, folder: Path) -> Iterator[Server]:
    """A standby that follows the primary by its files, while `folder/feed` is there."""
    data, logs, feed = folder / "postgres" / "data", primary / "postgres" / "data" / "pg_wal", folder / "feed"
    (data / "standby.signal").touch()
    _give(data / "standby.signal", data)
    feed.touch()
    options = {
        **POSTGRES_OPTIONS,
        "restore_command": f"test -e '{feed.resolve()}' && cp '{logs.resolve()}/%f' '%p'",
        "wal_retrieve_retry_interval": "100ms",
    }
    with postgres_server(folder, options) as server:
        yield server


def _await_same(here: Ground, standby: Server) -> None:
    ((at,),) = here.query("SELECT pg_current_wal_lsn()::text")

    def is_there() -> bool:
        with psycopg.connect(standby.url) as connection:
            found = connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [at]).fetchone()
        return found == (True,)

    until(is_there, "the standby has everything", say=lambda: standby.log.read_text(errors="replace")[-2000:])


def _promote(standby: Server, data: Path) -> None:
    """As pg_ctl promote does."""
    (data / "promote").touch()
    _give(data / "promote", data)
    standby.process.send_signal(signal.SIGUSR1)

    def is_primary() -> bool:
        with psycopg.connect(standby.url) as connection:
            return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)

    until(is_primary, "the standby is promoted")


def _turn_to(here: Ground, server: Server) -> None:
    """This ground's database is on the other server from now on."""
    services = Services(server.url, here.services.redis, {"postgres": server}, server.application)
    here.services = in_database(services, here.name)
    here.settings["DATABASE_URL"] = here.services.application


def _give(path: Path, like: Path) -> None:
    owner = like.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


RESTORE = Drill(restore, full=Numbers(known=20, forgotten=20, lost=5), small=Numbers(known=4, forgotten=2, lost=1))
FAILOVER = Drill(failover, full=Numbers(known=20, forgotten=20), small=Numbers(known=4, forgotten=2))
LOST_COMMIT = Drill(lost_commit, full=Numbers(known=20, forgotten=0), small=Numbers(known=4, forgotten=0))
COPY = Drill(copy, full=Numbers(known=20, forgotten=20), small=Numbers(known=4, forgotten=2))
