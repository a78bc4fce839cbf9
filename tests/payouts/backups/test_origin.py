"""Whoever may write to the place of the backups, and encrypt for their keys, has nothing of theirs put back."""

import json
import os
import re
import subprocess
import tempfile
from datetime import timedelta
from io import BytesIO
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from payouts.backups import envelope, make
from payouts.backups.envelope import DamagedError
from payouts.backups.programs import conninfo, program, start
from payouts.backups.proof import PIECE_BYTES, Proof, Proven, Proving, proof_name
from payouts.backups.restore import parameters_of, reaches_server
from payouts.models import Backup
from payouts.places import Folder
from tests import OWNER_URL
from tests.payouts.backups.told import refused, said
from tests.payouts.observe import by_hand
from tests.recipes import pending_payout

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.takes_long]


def a_name(**ago: float) -> str:
    return f"backup-{timezone.now() - timedelta(**ago):{make.TIME}}.dump.age"


@pytest.fixture
def forged(place: Folder, empty: str) -> bytes:
    """Of another's database, for the keys that backups are encrypted for."""
    with psycopg.connect(os.environ[OWNER_URL], dbname=empty, autocommit=True) as theirs:
        theirs.execute("CREATE TABLE theirs (id int)")
        command = [program("pg_dump", server=theirs.info.server_version // 10_000), "--format=custom"]
        with tempfile.TemporaryFile() as errors:
            process = start(
                command, parameters_of(os.environ[OWNER_URL]) | {"dbname": empty}, errors, stdout=subprocess.PIPE
            )
            dump, _nothing = process.communicate()
        theirs.execute("DROP TABLE theirs")
    sink = BytesIO()
    envelope.encrypt(BytesIO(dump), sink, for_keys=envelope.recipients())
    return sink.getvalue()


def tables_in(database: str) -> list[str]:
    with psycopg.connect(os.environ[OWNER_URL], dbname=database) as connected:
        found = connected.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        return [name for (name,) in found.fetchall()]


@pytest.fixture
def into_empty(empty: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `restore` says that puts a backup into the empty database; None where it did."""

    def restore(*arguments: str) -> tuple[int, str] | None:
        with monkeypatch.context() as changed:
            changed.setitem(connection.settings_dict, "NAME", empty)
            connection.close()
            try:
                if arguments[-1:] == ("works",):
                    said("restore", *arguments[:-1])
                    return None
                return refused("restore", *arguments)
            finally:
                connection.close()

    return restore


def test_a_backup_without_a_proof_is_not_put_back(
    place: Folder, forged: bytes, empty: str, into_empty: Any, settings: Any
) -> None:
    said("backup")
    name = a_name(seconds=-60)
    place.write(name, forged)

    code, text = refused("restore_drill")

    assert (code, make.names_in(place)[-1]) == (1, name)
    assert text == f"{name} could not take the place of the database."
    assert f"{name} has no proof beside it" in Backup.objects.get(name=name).fault
    assert refused("restore_drill")[0] == 1  # its row is no sign that it was ours
    code, text = into_empty()
    assert code == 2
    assert "has no proof beside it" in text
    assert tables_in(empty) == []


def test_a_proof_covers_one_backup_under_one_name(place: Folder, forged: bytes, empty: str, into_empty: Any) -> None:
    said("backup")
    (name,) = make.names_in(place)
    other = a_name(seconds=-60)
    place.write(other, forged)
    place.write(proof_name(other), place.read(proof_name(name)))

    assert refused("restore_drill")[0] == 1
    code, text = into_empty(other)

    assert code == 2
    assert text == f"The proof of {other} is not by us, or of another backup."
    assert tables_in(empty) == []


@pytest.mark.parametrize("is_longer", [False, True])
def test_what_lies_there_in_its_place_is_not_put_back(
    is_longer: bool, place: Folder, forged: bytes, empty: str, into_empty: Any
) -> None:
    said("backup")
    (name,) = make.names_in(place)
    ours = place.read(name)
    place.write(name, ours + b"\0" if is_longer else forged)

    code, text = into_empty()

    assert code == 1
    assert f"{name} is not as it was written: piece" in text
    assert is_longer or tables_in(empty) == []
    assert refused("restore_drill")[0] == 1


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"name":"a"}', "cannot be read"),
        (b" " * 17_000_000, "cannot be read"),
        (("size", 1), "is not by us"),
        (("format", 2), "of another version"),
        (("seal", ""), "is not by us"),
        (("seal", "zz"), "cannot be read"),
    ],
    ids=["empty", "deep", "little", "large", "size", "format", "unsealed", "no_seal"],
)
def test_a_proof_that_was_changed_is_none(written: Any, told: str, place: Folder) -> None:
    said("backup")
    (name,) = make.names_in(place)
    changed = written
    if isinstance(written, tuple):
        changed = json.dumps(json.loads(place.read(proof_name(name))) | dict([written])).encode()
    place.write(proof_name(name), changed)

    assert refused("restore_drill")[0] == 1

    assert told in Backup.objects.get().fault


def test_a_proof_by_a_key_that_is_not_here_says_nothing(place: Folder, settings: Any) -> None:
    said("backup")
    settings.EVENT_HMAC_KEYS = ["another key, which is long enough to pass"]

    code, text = refused("restore_drill")

    assert code == 2
    assert "by a key that is not of EVENT_HMAC_KEYS" in text
    assert Backup.objects.get().fault == ""


def test_a_retired_key_proves_nothing(place: Folder, settings: Any) -> None:
    """It may have been stolen, and whoever has it could forge all that it verifies."""
    said("backup")
    settings.EVENT_HMAC_KEYS_RETIRED = settings.EVENT_HMAC_KEYS
    settings.EVENT_HMAC_KEYS = ["another key, which is long enough to pass"]

    assert refused("restore_drill")[0] == 2


def test_a_backup_is_the_one_that_the_database_knows(place: Folder) -> None:
    said("backup")
    by_hand("UPDATE payouts_backup SET sha256 = %s", "0" * 64)

    assert refused("restore_drill")[0] == 1

    assert "is not the backup that was made under that name" in Backup.objects.get().fault


def test_that_the_last_backup_was_taken_away_is_found_though_an_older_one_is_good(place: Folder) -> None:
    said("backup")
    (older,) = make.names_in(place)
    newest = a_name(seconds=-1)
    Backup.objects.create(name=newest, started_at=timezone.now(), finished_at=timezone.now(), bytes=1)

    code, text = refused("restore_drill")

    assert (code, text) == (1, f"{newest} could not take the place of the database.")
    assert Backup.objects.get(name=newest).fault == f"{newest} was made, and is not there any more."
    assert Backup.objects.get(name=older).checked_at is None


def test_the_proof_tells_what_sha256sum_would(place: Folder) -> None:
    made = json.loads(said("backup", "--json"))

    proof = json.loads(place.read(proof_name(made["name"])))

    summed = subprocess.run(["sha256sum", place.path / made["name"]], capture_output=True, text=True, check=True)
    assert summed.stdout.split()[0] == proof["sha256"] == Backup.objects.get().sha256
    assert proof["size"] == made["bytes"]


def test_a_backup_of_before_there_were_proofs_is_put_back_when_somebody_says_so(
    place: Folder, empty: str, into_empty: Any
) -> None:
    said("backup")
    (name,) = make.names_in(place)
    place.remove(proof_name(name))
    Backup.objects.update(sha256="")

    code, text = refused("restore_drill")

    assert code == 2
    assert "made before backups had proofs" in text
    assert Backup.objects.get().fault == ""
    assert into_empty("--without-proof") == (2, "--without-proof asks for a backup's name.")
    assert into_empty(name, "--without-proof", "works") is None
    assert "payouts_payout" in tables_in(empty)


def test_what_was_queued_is_not_put_back(place: Folder, empty: str, into_empty: Any) -> None:
    """Both tables hold pickles, which run as they are read."""
    pending_payout()
    by_hand("INSERT INTO django_q_ormq (key, payload) VALUES ('payouts', 'x')")
    by_hand(
        "INSERT INTO django_q_task (id, name, func, started, stopped, success, attempt_count)"
        " VALUES ('a', 'a', 'a', now(), now(), true, 1)"
    )
    said("backup")

    assert into_empty("works") is None

    with psycopg.connect(os.environ[OWNER_URL], dbname=empty) as copy:
        left = copy.execute("SELECT (SELECT count(*) FROM django_q_ormq), (SELECT count(*) FROM django_q_task)")
        assert left.fetchone() == (0, 0)
        assert copy.execute("SELECT count(*) FROM payouts_payout").fetchone() == (1,)


@pytest.mark.parametrize(
    ("role", "expected"),
    [("postgres", True), ("pg_execute_server_program", True), ("payouts_owner", False), ("payouts_app", False)],
)
def test_a_role_that_reaches_the_server_is_told_from_one_that_does_not(role: str, expected: bool) -> None:
    with psycopg.connect(conninfo(connection.get_connection_params())) as connected:
        if connected.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
            pytest.skip(f"there is no role {role} here")
        assert reaches_server(connected, role) is expected


def test_a_backup_of_the_future_is_not_the_newest(place: Folder) -> None:
    """It would be, for years."""
    said("backup")
    (ours,) = make.names_in(place)
    place.write(later := a_name(days=-400), b"")

    assert said("backup", "--list") == f"{ours}\n"
    said("restore_drill")
    code, text = refused("restore_drill", "--name", later)

    assert code == 2
    assert "bears a time to come" in text
    assert make.prune() == []


@pytest.mark.parametrize("name", ["backup-20261399T000000Z.dump.age", "backup-20260230T256199Z.dump.age"])
def test_a_time_that_no_clock_shows_is_no_backups_name(name: str, place: Folder) -> None:
    place.write(name, b"")
    place.write(f".{name}.abc", b"")

    assert said("backup", "--list").strip() == ""
    assert refused("restore", name) == (2, f"{name} is no backup's name.")
    assert refused("restore_drill", "--name", name) == (2, f"{name} is no backup's name.")
    assert make.prune() == []


def test_a_proof_goes_with_its_backup(place: Folder, settings: Any) -> None:
    settings.BACKUP_RETENTION_DAYS = 30
    for days in (40, 35):
        place.write(old := a_name(days=days), b"")
        place.write(proof_name(old), b"")
    place.write(alone := proof_name(a_name(days=50)), b"")

    said("backup")

    (name,) = make.names_in(place)
    assert place.names() == [name, proof_name(name)]
    assert alone not in place.names()


def test_a_backup_whose_proof_cannot_be_kept_is_none(place: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    place.path.mkdir()
    now = timezone.now()
    for second in range(600):  # one of which it begins in
        name = f"backup-{now + timedelta(seconds=second):{make.TIME}}.dump.age"
        (place.path / proof_name(name)).mkdir()

    code, _text = refused("backup")

    assert code == 1
    assert [name for name in place.names() if not name.endswith(".proof")] == []
    row = Backup.objects.get()
    assert row.fault != ""
    assert row.finished_at is None


SIZES = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES]


@pytest.mark.parametrize("size", SIZES)
def test_a_backup_of_any_size_is_read_as_it_was_written(size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]
    proof = proved(content)

    assert Proven(BytesIO(content), proof).read() == content
    source = Proven(BytesIO(content), proof)
    assert b"".join(iter(lambda: source.read(65_521), b"")) == content
    assert len(proof.pieces) == -(-size // PIECE_BYTES)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_longer_shorter_or_other_is_found_before_it_is_let_through(size: int) -> None:
    content = b"a" * size
    proof = proved(content)
    others = [content + b"a"] + ([content[:-1], b"b" + content[1:]] if size else [])

    for other in others:
        with pytest.raises(DamagedError, match=re.escape(f"of {len(proof.pieces)} does not fit its proof")):
            Proven(BytesIO(other), proof).read()


def proved(content: bytes) -> Proof:
    proving = Proving(BytesIO())
    for begin in range(0, len(content), 1_000_003):
        proving.write(content[begin : begin + 1_000_003])
    return proving.proof("a")
