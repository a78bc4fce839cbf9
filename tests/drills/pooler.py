"""PgBouncer stands between, and gives a connection out for one transaction: nothing of ours is left in a session.

Where it refuses or drops what a session asks for, and nobody has said that it is there, no process starts.
"""

import http.client
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psycopg

from backoffice.local.postgres import service_account
from backoffice.local.servers import await_answer, free_port, start_server, stop_server, write_private
from tests.bench.stand import BenchError, Stand
from tests.drills.ground import PATIENCE_SECONDS, Drill, Ground, Result, ground

PROGRAMS = ("/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer")
CONFIGURATION = """[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listens}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = 6
max_client_conn = 500
ignore_startup_parameters = {ignored}
"""
REMEDY = "DATABASE_POOLER=transaction"


@dataclass(frozen=True)
class Numbers:
    posts: int
    clients: int


def pooler(stand: Stand, numbers: Numbers) -> Result:
    program = shutil.which("pgbouncer") or next((path for path in PROGRAMS if Path(path).exists()), "")
    if not program:
        return Result("left out: there is no pgbouncer on this machine")
    with ground(stand, "pooler") as here:
        refusals = [_refusal(here, program, ignored) for ignored in ("", "options")]
        with _pgbouncer(here, program, ignored="") as url:
            here.settings |= {"DATABASE_URL": url, "DATABASE_POOLER": "transaction"}
            provider = here.start_provider()
            _web, port = here.start_web()
            here.start_cluster(provider)
            answers = _posted(here, port, numbers)
            seconds = here.await_processed(numbers.posts)
            told = _told_of_a_lock(here, url, port)
            result = Result(
                f"{numbers.posts} POSTs of {numbers.clients} clients: {dict(answers)}; paid {seconds:.0f} s later; "
                f"a locked row: {told}; not told of the pooler, {sum(map(bool, refusals))} of 2 starts are refused"
            )
            result.expect(answers == {201: numbers.posts}, f"answered {dict(answers)}")
            result.expect(all(refusals), "a process started that had not been told of the pooler")
            result.expect(told == 503, f"who waits for a locked row hears {told}")
            return here.judge(result, provider)


def _refusal(here: Ground, program: str, ignored: str) -> bool:
    """Whether neither the web server nor a cluster starts, and both say what to set."""
    with _pgbouncer(here, program, ignored=ignored) as url:
        here.settings["DATABASE_URL"] = url
        try:
            return all(
                REMEDY in _failure(here, *command)
                for command in (("-c", "import backoffice.wsgi"), ("manage.py", "cluster"))
            )
        finally:
            here.settings["DATABASE_URL"] = here.services.application


def _failure(here: Ground, *command: str) -> str:
    with here.running("refused", *command) as program:
        try:
            program.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            return ""
    return program.log.read_text(errors="replace") if program.process.returncode else ""


def _posted(here: Ground, port: int, numbers: Numbers) -> Counter[int | str]:
    """What the clients were told, each of whom sends one payout after another."""
    answers: Counter[int | str] = Counter()
    lock, left = threading.Lock(), iter(range(numbers.posts))

    def submit() -> None:
        caller = here.caller(port)
        for number in iter(lambda: next(left, None), None):
            try:
                status: int | str = caller.submit(user_id=1 + number).status
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            with lock:
                answers[status] += 1

    threads = [threading.Thread(target=submit) for _ in range(numbers.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _told_of_a_lock(here: Ground, url: str, port: int) -> int:
    """What a client is told of a payout that somebody has locked, through the pooler, and keeps locked."""
    caller = here.caller(port)
    payout_id = caller.submit(amount="2000000.00").json["id"]
    with psycopg.connect(url, prepare_threshold=None) as locker:
        locker.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        locker.execute("SELECT FROM payouts_payout WHERE id = %s FOR UPDATE", [payout_id])
        status = caller.patch(payout_id, "cancelled").status
        locker.rollback()
    return status


@contextmanager
def _pgbouncer(here: Ground, program: str, *, ignored: str) -> Iterator[str]:
    """The URL of the ground's database through a PgBouncer that drops these parameters of a session's start."""
    to, account = urlsplit(here.services.application), service_account()
    port = free_port()
    folder = Path(here.stack.enter_context(TemporaryDirectory(prefix="payouts-pooler-")))
    folder.chmod(0o711)
    users, configuration = folder / "users.txt", folder / "pgbouncer.ini"
    write_private(users, f'"{to.username}" "{to.password}"\n', account)
    text = CONFIGURATION.format(host=to.hostname, port=to.port, listens=port, users=users, ignored=ignored)
    write_private(configuration, text, account)
    with (folder / "log").open("wb") as log:
        server = start_server([program, str(configuration)], account, Path("/"), log, signal.SIGINT)
    url = to._replace(netloc=f"{to.username}:{to.password}@127.0.0.1:{port}").geturl()
    try:
        if not await_answer(server, lambda: _answers(url)):
            raise BenchError(f"PgBouncer did not start:\n{(folder / 'log').read_text(errors='replace')[-2000:]}")
        yield url
    finally:
        stop_server(server, signal.SIGQUIT)


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False


POOLER = Drill(pooler, full=Numbers(posts=1_000, clients=16), small=Numbers(posts=40, clients=8))
