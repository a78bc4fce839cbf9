"""A backup put back as docs/recovery.md tells, command by command; and backups from before each key was changed."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from backoffice.local.secrets import new_secrets
from tests.bench.stand import ROOT, BenchError, Stand
from tests.drills.forgetting import Numbers, paid_once, pay_and_stop, submit, work_once
from tests.drills.ground import Drill, Ground, Provider, Result, ground
from tests.drills.rotation import steps

SECTION = "## From a backup\n"


def restore_drill(stand: Stand, numbers: Numbers) -> Result:
    """The database is gone, and its last backup is what there is."""
    with ground(stand, "restore-drill") as here:
        provider = here.start_provider()
        _keep_backups(here)
        work_once(here, provider)
        submit(here, numbers.known, "known")
        here.manage("checkpoint")
        made = json.loads(here.manage("backup", "--json"))
        calls_before = provider.calls
        checked = json.loads(here.manage("restore_drill", "--json"))
        calls = sum((provider.calls - calls_before).values())
        pay_and_stop(here, provider, numbers)
        here.manage("checkpoint")
        _make_empty(here)
        told = [_done(here, commands) for commands in commands_of(SECTION)]
        missing = "".join(told).count("payout_missing")
        result = paid_once(here, provider, numbers, "the database lost, its backup put back by docs/recovery.md")
        result.figure = (
            f"backup of {made['bytes']:,} bytes; weekly drill: {checked['payouts']} payouts put back in "
            f"{checked['restore_seconds']:.1f} s and audited in {checked['audit_seconds']:.1f} s against "
            f"{checked['checkpoints']} checkpoint, {calls} calls to the provider; {len(told)} steps: "
            f"{missing} forgotten payouts named; {result.figure}"
        )
        result.expect(calls == 0, f"{calls} calls to the provider from the copy")
        result.expect((checked["payouts"], checked["faults"]) == (numbers.known, []), f"the drill found {checked}")
        forgotten = numbers.forgotten + numbers.lost
        result.expect(missing == forgotten, f"{missing} of {forgotten} forgotten payouts named")
        result.expect("Recovery mode" in told[-1], f"the last step said {told[-1]}")
        return result


def commands_of(section: str) -> list[str]:
    """The commands of a section of docs/recovery.md, block by block."""
    text = (ROOT / "docs" / "recovery.md").read_text().partition(section)[2].partition("\n## ")[0]
    return re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def _done(here: Ground, commands: str) -> str:
    """What they say, by the owner of the tables. Raises BenchError where one fails."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=ROOT,
        env=os.environ | here.settings | {"PATH": programs, "DATABASE_URL": here.services.database},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        raise BenchError(f"docs/recovery.md: {commands}{answer.stdout[-2000:]}{answer.stderr[-2000:]}")
    return answer.stdout


def _keep_backups(here: Ground) -> None:
    """As docs/recovery.md sets it up."""
    made = json.loads(here.manage("backup", "--new-key", "--json"))
    here.settings |= {
        "BACKUPS": str(here.folder / here.name / "backups"),
        "CHECKPOINTS": str(here.folder / here.name / "checkpoints"),
        "BACKUP_RECIPIENTS": made["recipient"],
        "BACKUP_IDENTITY": made["identity"],
    }


def _make_empty(here: Ground) -> None:
    """Another database of the same name."""
    server = urlsplit(here.services.database)._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {here.name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {here.name}")


# Keys


@dataclass(frozen=True)
class Payouts:
    each: int
    """Paid under each set of keys."""


def keys(stand: Stand, numbers: Payouts) -> Result:
    """Every key of docs/keys.md changed, and a backup of each day put back by the keys that it says."""
    with ground(stand, "keys") as here:
        provider, old, new = here.start_provider(), dict(here.settings), new_secrets()
        provider.tell(f"tokens {old['PROVIDER_TOKEN']} {new['PROVIDER_TOKEN']}")
        _keep_backups(here)
        first = here.settings["BACKUP_RECIPIENTS"], here.settings["BACKUP_IDENTITY"]
        made = json.loads(here.manage("backup", "--new-key", "--json"))
        second = made["recipient"], made["identity"]
        here.settings |= {"RESTORE_DATABASE_URL": stand.services.database}
        paid = _pay(here, provider, numbers.each, "before")
        backups = [_backup(here)]
        for number, changes in enumerate(rotated(old, new, first[0], second[0])):
            if "EVENT_HMAC_KEYS_RETIRED" in changes:
                here.manage("rotate_keys")
                provider.tell(f"tokens {new['PROVIDER_TOKEN']}")
            here.settings |= changes
            paid += _pay(here, provider, numbers.each, f"step-{number}")
            backups.append(_backup(here))
        here.await_processed(paid)
        of_their_day = {name: f"{new[name]},{old[name]}" for name in ("FIELD_ENCRYPTION_KEYS", "EVENT_HMAC_KEYS")}
        cases: list[tuple[str, str, dict[str, str], int]] = [
            ("the last", backups[-1], {"BACKUP_IDENTITY": second[1]}, 0),
            ("the last, by the old identity", backups[-1], {"BACKUP_IDENTITY": first[1]}, 2),
            ("one for both, by the new", backups[1], of_their_day | {"BACKUP_IDENTITY": second[1]}, 0),
            ("one for both, by the old", backups[1], of_their_day | {"BACKUP_IDENTITY": first[1]}, 0),
            ("the first, by the new identity", backups[0], of_their_day | {"BACKUP_IDENTITY": second[1]}, 2),
            ("the first, by today's keys", backups[0], {"BACKUP_IDENTITY": first[1]}, 2),
            ("the first, by the keys of its day", backups[0], of_their_day | {"BACKUP_IDENTITY": first[1]}, 0),
        ]
        codes = [_tried(here, name, settings) for _what, name, settings, _code in cases]
        wrong = [
            f"{what}: {code}, not {promised}: {text}"
            for (what, _name, _settings, promised), (code, text) in zip(cases, codes, strict=True)
            if code != promised
        ]
        result = Result(
            f"{len(backups) - 1} steps, {paid} paid; {len(backups)} backups, {len(cases)} times tried: "
            f"{[code for code, _text in codes].count(0)} put back and audited by the keys that docs/keys.md says, "
            f"{[code for code, _text in codes].count(2)} opened by no others"
        )
        result.faults += wrong
        return here.judge(result, provider)


def rotated(old: dict[str, str], new: dict[str, str], recipient: str, next_one: str) -> list[dict[str, str]]:
    """What changes step by step, the backups' keys beside the others."""
    known, first, alone = steps(old, new)
    both = {"BACKUP_RECIPIENTS": f"{recipient},{next_one}"}
    return [known | both, first | both, alone | {"BACKUP_RECIPIENTS": next_one}]


def _pay(here: Ground, provider: Provider, count: int, under: str) -> int:
    """A cluster with the keys of now pays what was submitted with them."""
    before = here.count("payouts_payout", "status = 'processed'")
    submit(here, count, under)
    cluster = here.start_cluster(provider)
    here.await_processed(before + count)
    cluster.program.stop()
    return count


def _backup(here: Ground) -> str:
    """Its name."""
    made: dict[str, Any] = json.loads(here.manage("backup", "--json"))
    return str(made["name"])


def _tried(here: Ground, name: str, settings: dict[str, str]) -> tuple[int, str]:
    """The exit code of its restore drill, and what it said."""
    answer = subprocess.run(
        [sys.executable, "manage.py", "restore_drill", "--name", name],
        cwd=ROOT,
        env=os.environ | here.settings | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return answer.returncode, (answer.stdout + answer.stderr)[-1000:]


RESTORE_DRILL = Drill(
    restore_drill, full=Numbers(known=20, forgotten=20, lost=5), small=Numbers(known=4, forgotten=2, lost=1)
)
KEYS = Drill(keys, full=Payouts(each=50), small=Payouts(each=4))
