"""A backup is made, put back into a database of its own, and audited there; what is wrong with it is said."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from backoffice.environment import SETTINGS
from payouts import tasks, vault
from payouts.actions import erasure, recovery
from payouts.backups import envelope, make
from payouts.backups.drill import NOTHING_OUTSIDE
from payouts.backups.programs import conninfo
from payouts.backups.proof import Proving, proof_name
from payouts.checkpoints import erased
from payouts.models import Backup, Payout
from payouts.places import Folder
from payouts.recipients import name_and_account
from tests import OWNER_URL
from tests.databases import application_url, as_owner
from tests.payouts.backups.told import refused, said
from tests.payouts.observe import by_hand, unguarded
from tests.recipes import pending_payout, processed_payout
from tests.waiting import wait_until

# pg_dump sees what is committed.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.takes_long]


def test_a_backup_is_made_encrypted_put_back_and_audited(place: Folder, settings: Any, tmp_path: Path) -> None:
    settings.CHECKPOINTS = str(tmp_path / "anchors")
    recovery.look()
    processed_payout()
    pending_payout()
    tasks.checkpoint()

    made = json.loads(said("backup", "--json"))
    pending_payout()
    tasks.checkpoint()  # later than the backup: not missed in its copy
    checked = json.loads(said("restore_drill", "--json"))

    content = place.read(made["name"])
    assert len(content) == made["bytes"] == Backup.objects.get().bytes
    assert content.startswith(b"age-encryption.org/v1")
    assert b"payouts_payout" not in content
    assert checked["name"] == made["name"]
    assert (checked["payouts"], checked["checkpoints"], checked["recovery"]) == (2, 1, "recovery")
    assert checked["faults"] == []
    row = Backup.objects.get()
    assert row.checked_at is not None
    assert row.finished_at is not None
    with psycopg.connect(os.environ[OWNER_URL]) as server:
        left = server.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'payouts_restore_%'").fetchone()
    assert left == (0,)


def test_what_it_says_to_people(place: Folder) -> None:
    recovery.look()
    pending_payout()

    made, listed, checked = said("backup"), said("backup", "--list"), said("restore_drill")

    name = Backup.objects.get().name
    assert made.startswith(f"{name}: ")
    assert listed == f"{name}\n"
    assert f"{name}: 1 payouts put back in" in checked
    assert "Every invariant holds" in checked
    assert "it would pay nothing" in checked


def test_a_payout_that_sql_changed_is_found_in_the_copy(place: Folder) -> None:
    payout = processed_payout()
    by_hand("UPDATE payouts_payout SET user_id = user_id + 1 WHERE id = %s", payout.pk)
    said("backup")

    code, _text = refused("restore_drill")

    assert code == 1
    row = Backup.objects.get()
    assert row.checked_at is None
    assert "row_sealed" in row.fault


def test_a_payout_of_before_it_that_the_copy_lacks_is_found(place: Folder) -> None:
    said("backup")
    payout = pending_payout()
    by_hand("UPDATE payouts_payout SET created_at = now() - interval '1 day' WHERE id = %s", payout.pk)

    code, _text = refused("restore_drill")

    assert code == 1
    assert "(0, 0) in the copy and (1, 0) here" in Backup.objects.get().fault


def test_what_a_checkpoint_from_outside_saw_and_the_copy_lacks_is_found(
    place: Folder, settings: Any, tmp_path: Path
) -> None:
    settings.CHECKPOINTS = str(tmp_path / "anchors")
    payout = pending_payout()
    tasks.checkpoint()
    for table in ("payouts_event", "payouts_payout"):
        column = "id" if table == "payouts_payout" else "payout_id"
        with unguarded(table):
            by_hand(f"DELETE FROM {table} WHERE {column} = %s", payout.pk)
    said("backup")

    code, _text = refused("restore_drill")

    assert code == 1
    assert "payout_missing" in Backup.objects.get().fault


@pytest.mark.parametrize("kept", [slice(0, -10), slice(0, 20_000)])
def test_a_backup_that_is_not_whole_is_no_backup(kept: slice, place: Folder) -> None:
    said("backup")
    (name,) = make.names_in(place)
    (place.path / name).write_bytes(place.read(name)[kept])

    code, _text = refused("restore_drill")

    assert code == 1
    assert "is not as it was written" in Backup.objects.get().fault


def test_a_backup_that_later_passes_has_no_fault(place: Folder) -> None:
    said("backup")
    Backup.objects.update(fault="It was damaged.")

    said("restore_drill")

    row = Backup.objects.get()
    assert (row.fault, row.checked_at is None) == ("", False)


def test_without_its_key_nothing_is_found_out(place: Folder, settings: Any) -> None:
    said("backup")
    settings.BACKUP_IDENTITY = envelope.new_key()[0]

    code, text = refused("restore_drill")

    assert code == 2
    assert "BACKUP_IDENTITY does not open it" in text
    assert Backup.objects.get().fault == ""


def test_without_the_keys_of_its_day_nothing_is_found_out(place: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    processed_payout()
    said("backup")
    monkeypatch.setenv("INDEX_KEY", "another key, which is long enough to pass")

    code, _text = refused("restore_drill")

    assert code == 2
    assert Backup.objects.get().fault == ""


def test_a_backup_that_pg_dump_may_not_read_is_none(place: Folder) -> None:
    by_hand("REVOKE SELECT ON payouts_bank FROM payouts_owner, payouts_app")
    try:
        code, text = refused("backup")
    finally:
        by_hand("GRANT SELECT ON payouts_bank TO payouts_owner, payouts_app")

    assert code == 1
    assert "permission denied for table payouts_bank" in text
    assert place.names() == []
    row = Backup.objects.get()
    assert row.finished_at is None
    assert "permission denied" in row.fault


def test_a_place_that_takes_nothing_is_said(place: Folder, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.BACKUPS = str(tmp_path / "file")

    assert refused("backup")[0] == 1
    assert refused("restore_drill")[0] == 2


@pytest.mark.parametrize("missing", ["BACKUPS", "BACKUP_RECIPIENTS"])
def test_a_setting_that_is_missing_is_named(missing: str, place: Folder, settings: Any) -> None:
    setattr(settings, missing, "" if missing == "BACKUPS" else [])

    code, text = refused("backup")

    assert code == 2
    assert text.startswith(f"{missing} is not set")
    assert not Backup.objects.exists()


def test_a_backup_that_was_killed_is_given_up(place: Folder) -> None:
    begun = timezone.now() - timedelta(hours=13)
    Backup.objects.create(name="killed", started_at=begun)
    place.path.mkdir()
    left = f".backup-{begun:{make.TIME}}.dump.age.abc"
    (place.path / left).touch()

    said("backup")

    assert Backup.objects.get(name="killed").fault == "It did not come to its end."
    assert left not in place.names()


def a_backup(place: Folder, days: int, **facts: Any) -> str:
    at = timezone.now() - timedelta(days=days)
    name = f"backup-{at:{make.TIME}}.dump.age"
    place.write(name, b"")
    Backup.objects.create(**{"name": name, "started_at": at, "finished_at": at} | facts)
    return name


def test_old_backups_are_removed_but_for_the_last_that_was_checked(place: Folder, settings: Any) -> None:
    settings.BACKUP_RETENTION_DAYS = 30
    a_backup(place, 50, checked_at=timezone.now())
    checked = a_backup(place, 40, checked_at=timezone.now())
    a_backup(place, 35)
    young = a_backup(place, 29)
    Backup.objects.create(name="failed", started_at=timezone.now() - timedelta(days=31), fault="No room.")

    made = json.loads(said("backup", "--json"))

    assert len(made["removed"]) == 2
    assert make.names_in(place) == [checked, young, made["name"]]
    assert {row.name for row in Backup.objects.all()} == {checked, young, made["name"]}


def test_an_old_backup_that_cannot_be_removed_is_said_and_the_new_one_is_there(place: Folder) -> None:
    stays = f"backup-{timezone.now() - timedelta(days=31):{make.TIME}}.dump.age"
    (place.path / stays).mkdir(parents=True)

    code, text = refused("backup")

    assert code == 3
    assert "is made. Old ones could not be removed" in text
    assert Backup.objects.get().finished_at is not None
    assert len(make.names_in(place)) == 2


def test_without_a_number_of_days_nothing_is_removed(place: Folder, settings: Any) -> None:
    settings.BACKUP_RETENTION_DAYS = 0
    old = a_backup(place, 500)

    assert make.prune() == []
    assert make.names_in(place) == [old]


def test_a_backup_is_put_into_the_empty_database_of_the_settings(
    place: Folder, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = pending_payout().reference
    said("backup")
    monkeypatch.setitem(connection.settings_dict, "NAME", empty)
    connection.close()

    told = said("restore")

    connection.close()
    assert "is put back" in told
    with psycopg.connect(conninfo(connection.get_connection_params())) as copy:
        assert copy.execute("SELECT reference FROM payouts_payout").fetchall() == [(reference,)]
    monkeypatch.undo()
    connection.close()


def test_who_was_erased_since_the_backup_is_erased_again_when_it_is_put_back(
    place: Folder, empty: str, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    settings.CHECKPOINTS = str(tmp_path / "outside")
    payout = processed_payout()
    key = payout.recipient_key
    assert key is not None
    said("backup")
    erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked for.")
    assert erased.keep_outside() == 1
    assert erased.keep_outside() == 0
    monkeypatch.setitem(connection.settings_dict, "NAME", empty)
    connection.close()

    with as_owner():  # of what is put back
        told, again = said("restore"), said("erase", "--again")
        put_back = Payout.objects.get()
        assert put_back.erasure is not None

    assert "erased again: 1." in told
    assert "erased already: 1." in again
    assert put_back.erasure.on_server == "list: test"
    assert put_back.erasure.is_sealed
    assert put_back.is_sealed
    assert name_and_account(put_back.recipient_masked)[0].startswith("erased on")
    monkeypatch.undo()
    connection.close()


def test_a_list_of_the_erased_that_was_changed_erases_nobody(place: Folder, settings: Any, tmp_path: Path) -> None:
    settings.CHECKPOINTS = str(tmp_path / "outside")
    key = processed_payout().recipient_key
    assert key is not None
    erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked for.")
    erased.keep_outside()
    (file,) = (tmp_path / "outside").iterdir()
    file.write_text(file.read_text().replace("Asked for.", "Asked."))

    code, text = refused("erase", "--again")

    assert code == 1
    assert "does not fit its seal" in text


def test_one_file_that_is_not_ours_keeps_nobody_from_being_erased_again(
    place: Folder, settings: Any, tmp_path: Path
) -> None:
    settings.CHECKPOINTS = str(tmp_path / "outside")
    key = processed_payout().recipient_key
    assert key is not None
    before = (key.wrapped, bytes(key.facts_seal))
    erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked for.")
    erased.keep_outside()
    (tmp_path / "outside" / "erased-00000000-0000000000000000.json").write_text("{}")
    with unguarded("payouts_recipientkey"):  # as a backup of before has it
        by_hand(
            "UPDATE payouts_recipientkey SET wrapped = %s, facts_seal = %s, erased_at = NULL, reason = '', "
            "on_server = ''",
            *before,
        )

    code, text = refused("erase", "--again")

    assert code == 1
    assert "erased-00000000-0000000000000000.json" in text
    assert Payout.objects.get().erasure is not None


def test_who_was_erased_and_is_in_a_backup_of_before_their_key_is_named(
    place: Folder, settings: Any, tmp_path: Path
) -> None:
    settings.CHECKPOINTS = str(tmp_path / "outside")
    payout = processed_payout()
    key = payout.recipient_key
    assert key is not None
    recipient = payout.recipient_details
    erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked for.")
    erased.keep_outside()
    assert "erased already: 1." in said("erase", "--again")
    by_hand("UPDATE payouts_payout SET recipient = %s", vault.encrypt(recipient))  # as that backup has it
    with unguarded("payouts_recipientkey"):
        by_hand("DELETE FROM payouts_recipientkey")

    code, text = refused("erase", "--again")

    assert code == 1
    assert "rotate_keys" in text
    assert "Not erased again: 1." in text


def test_a_damaged_backup_put_back_says_that_the_database_is_not_whole(
    place: Folder, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said("backup")
    (name,) = make.names_in(place)
    (place.path / name).write_bytes(place.read(name)[:-10])
    monkeypatch.setitem(connection.settings_dict, "NAME", empty)
    connection.close()

    code, text = refused("restore")

    connection.close()
    assert code == 1
    assert text.endswith("What was put back is not whole: remove that database, and take another backup.")
    monkeypatch.undo()
    connection.close()


def test_nothing_is_put_over_a_database_with_tables(place: Folder) -> None:
    pending_payout()
    said("backup")

    code, text = refused("restore")

    assert code == 2
    assert "has tables already" in text
    assert Payout.objects.count() == 1


@pytest.mark.parametrize("name", ["backup-20260101T000000Z.dump.age", "../../etc/passwd"])
def test_a_backup_that_is_not_there_is_said(name: str, place: Folder, empty: str) -> None:
    said("backup")

    assert refused("restore_drill", "--name", name)[0] == 2


def test_the_copys_processes_know_no_address_but_the_copys() -> None:
    addresses = {name for name in SETTINGS if name.endswith(("_URL", "_DSN", "_ENDPOINT"))} | {"OIDC_ISSUER"}

    assert addresses - {"DATABASE_URL"} <= NOTHING_OUTSIDE.keys() <= SETTINGS.keys()


def test_a_pair_of_keys_is_made_that_fits(settings: Any) -> None:
    made = json.loads(said("backup", "--new-key", "--json"))

    settings.BACKUP_RECIPIENTS, settings.BACKUP_IDENTITY = [made["recipient"]], made["identity"]

    assert str(envelope.identities()[0].to_public()) == str(envelope.recipients()[0])


def test_a_drill_that_is_ended_leaves_no_copy(place: Folder, settings: Any) -> None:
    said("backup")
    given = {name: getattr(settings, name) for name in ("BACKUPS", "BACKUP_IDENTITY", "RESTORE_DATABASE_URL")}
    drill = subprocess.Popen(
        [sys.executable, "manage.py", "restore_drill"],
        cwd=settings.BASE_DIR,
        env=os.environ | given | {"DATABASE_URL": application_url()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        (copy,) = wait_until(lambda: restored_to(drill.pid))
        drill.terminate()
        code = drill.wait(60)
    finally:
        drill.kill()

    with psycopg.connect(os.environ[OWNER_URL]) as server:
        left = server.execute("SELECT FROM pg_database WHERE datname = %s", [copy]).fetchall()
    assert (code, left) == (128 + signal.SIGTERM, [])


def restored_to(drill: int) -> list[str]:
    """The database that pg_restore of this drill writes to; other drills may run beside it."""
    with suppress(psutil.Error):
        words = [word for child in psutil.Process(drill).children() for word in child.cmdline()]
        return [word.removeprefix("--dbname=") for word in words if word.startswith("--dbname=payouts_restore_")]
    return []


def test_a_drill_makes_no_backup_look_younger_than_it_is(place: Folder) -> None:
    said("backup")
    (name,) = make.names_in(place)
    old = f"backup-{timezone.now() - timedelta(days=3):{make.TIME}}.dump.age"
    proving = Proving(BytesIO())
    proving.write(place.read(name))
    place.write(old, place.read(name))
    place.write(proof_name(old), proving.proof(old).as_bytes())
    place.remove(name)
    Backup.objects.all().delete()  # as in a database that was put back

    said("restore_drill")

    row = Backup.objects.get()
    assert row.finished_at == row.started_at == make.started(old)
