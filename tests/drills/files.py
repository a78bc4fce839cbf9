"""Hostile files are uploaded and checked, one after the other, while payouts come in and are paid."""

import math
import threading
import time

from tests.bench.stand import Stand
from tests.drills.ground import Drill, Ground, Result, ground, until
from tests.payouts.files import hostile

UPLOAD = "/admin/payouts/batch/add/"


def hostile_files(stand: Stand, seconds: float) -> Result:
    """`seconds`: within which each payout must be paid."""
    with ground(stand, "hostile-files") as here:
        provider = here.start_provider()
        _web, port = here.start_web()
        cluster = here.start_cluster(provider)
        group = cluster.main.pid
        person, caller = here.person(port, "operator"), here.caller(port)
        files = {name: make() for name, (make, _code) in hostile.FILES.items()}
        answers: list[int] = []
        is_over = threading.Event()

        def submit() -> None:
            while not is_over.is_set():
                answers.append(caller.submit().status)
                time.sleep(0.1)

        load = threading.Thread(target=submit, daemon=True)
        load.start()
        began_at = time.monotonic()
        taken = [
            person.upload(UPLOAD, content, f"{number}.xlsx").status for number, content in enumerate(files.values())
        ]
        until(lambda: here.count("payouts_batch", "checked_at IS NOT NULL") == len(files), "every file is refused")
        took = time.monotonic() - began_at
        is_over.set()
        load.join()
        here.await_processed(len(answers))
        slowest = float(
            here.query("SELECT max(extract(epoch FROM processed_at - created_at)) FROM payouts_payout")[0][0]
        )
        result = Result(
            f"{len(files)} files refused in {took:.0f} s; {len(answers)} payouts meanwhile, the slowest paid after"
            f" {slowest:.1f} s"
        )
        result.expect(taken == [302] * len(files), f"the uploads were answered with {taken}")
        result.expect(set(answers) == {201}, f"answers: {sorted(set(answers))}")
        result.expect(slowest <= seconds, f"a payout was paid after {slowest:.1f} s")
        result.expect(cluster.main.pid == group, "the cluster was restarted")
        _expect_refusals(here, result)
        return here.judge(result, provider)


def _expect_refusals(here: Ground, result: Result) -> None:
    wanted = {f"{number}.xlsx": code for number, (_make, code) in enumerate(hostile.FILES.values())}
    found = {
        name: refusal and refusal[0][0] for name, refusal in here.query("SELECT name, refusal FROM payouts_batch")
    }
    result.expect(found == wanted, f"refused for {found}")


HOSTILE_FILES = Drill(hostile_files, full=2.0, small=math.inf)
