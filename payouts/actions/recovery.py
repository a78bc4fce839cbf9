"""Whether the database is the one that it was. When it is not, it may have forgotten payments: recovery mode begins.

In recovery mode the provider is asked before every payment whether it has made it already. One person proposes to end
it, with what was compared with the provider, and another confirms (docs/recovery.md). A database of another
installation, a copy of production for example, pays nothing at all.

What PostgreSQL says of itself tells a restore, a failover and a copy. It does not tell rows that were put back into
the same tables, or a disk that was: then a person begins recovery mode, by `manage.py recovery begin`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts import operation_rules
from payouts.actions.errors import PayoutError, reason_fault
from payouts.actions.moves import WORKER
from payouts.database import rights, session
from payouts.models import Installation, Recovery, UnknownPayment

log = structlog.get_logger(__name__)

type Identity = tuple[int | None, ...]

# In the order of the columns below. The timeline is how PostgreSQL counts restores and promotions.
PARTS = ("system identifier", "timeline", "database", "table of payouts")
# The last one is asked for by our own connections; a pooler may not hand it on.
IS_DURABLE = (
    "current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean"
    " AND current_setting('synchronous_commit') <> 'off'"
)
NOT_DURABLE = (
    "PostgreSQL runs with fsync, full_page_writes or synchronous_commit off: it may lose payments that it has "
    "confirmed, and they would be made again. Turn them on."
)
FACTS = f"""
SELECT i.name,
       ARRAY[i.system_identifier, i.timeline, i.database_oid, i.table_oid],
       ARRAY[s.system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint,
             d.oid::bigint, 'payouts_payout'::regclass::oid::bigint],
       EXISTS (SELECT FROM payouts_recovery WHERE ended_at IS NULL),
       EXISTS (SELECT FROM payouts_recovery WHERE ended_at IS NOT NULL),
       {IS_DURABLE}
FROM payouts_installation i, pg_control_system() s, pg_database d WHERE d.datname = current_database()
"""  # noqa: S608 (a constant)
STORE = """
UPDATE payouts_installation SET name = %s, system_identifier = %s, timeline = %s, database_oid = %s, table_oid = %s
WHERE ARRAY[system_identifier, timeline, database_oid, table_oid] IS NOT DISTINCT FROM %s::bigint[]
"""


class RecoveryError(PayoutError):
    """Why recovery mode is not begun or ended, or the installation not renamed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the database is now: one that may pay, and whether the provider is asked first."""

    obstacle: str = ""
    """Why nothing may be paid at all, in English, for logs; empty where it may."""
    is_recovering: bool = False


def look() -> Finding:
    """Compare what the database is with what it was; begin recovery mode when it is another one.

    In the caller's transaction, if there is one. The first time, what it is is stored.
    """
    name, stored, present, is_recovering, has_recovered, is_durable = _facts()
    if not is_durable and settings.NEEDS_DURABLE_SERVER:
        return _stopped(NOT_DURABLE)
    if name and name != settings.INSTALLATION:
        return _stopped(
            f"The database belongs to the installation {name!r}, and INSTALLATION is {settings.INSTALLATION!r}."
        )
    if stored == present:
        return Finding(is_recovering=is_recovering or (has_recovered and _begun_for_altered()))
    with transaction.atomic():
        if not _store(present, before=stored):
            return look()  # somebody else has just found it, and has stored what it is
        if stored == (None,) * len(PARTS):
            log.info("installation_adopted", installation=settings.INSTALLATION)
            return Finding(is_recovering=is_recovering)
        _begin(Recovery.Cause.CHANGED, _differences(stored, present), by=WORKER)
    return Finding(is_recovering=True)


def began_at() -> datetime:
    """When recovery mode last began; now where no row says it. What was sent before may be forgotten."""
    latest = Recovery.objects.filter(ended_at=None).order_by("-began_at").values_list("began_at", flat=True).first()
    return latest or timezone.now()


def why_not_start() -> str:
    """Why this database server must not be used; empty while it does not answer.

    Its sessions are not as ours must be, our role cannot do its work, or it may lose what it has confirmed. For
    development, while DJANGO_DEBUG is on, the last may be.
    """
    if obstacle := session.why_unfit() or rights.why_lacking():
        return obstacle
    if not settings.NEEDS_DURABLE_SERVER:
        return ""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {IS_DURABLE}")
            (is_durable,) = cursor.fetchone()
    except OperationalError:
        return ""
    return "" if is_durable else NOT_DURABLE


def begin(*, by: str, reason: str) -> Recovery:
    """Begin recovery mode by hand: from the next claim on, the provider is asked before every payment.

    One person does, at once. Raises RecoveryError without a reason.
    """
    return _begin(Recovery.Cause.BY_HAND, _checked(reason), by=by)


def adopt(*, by: str) -> Recovery:
    """Make the database the one of this INSTALLATION, in recovery mode. Raises RecoveryError where it is already."""
    with transaction.atomic():
        was = Installation.objects.select_for_update().get()
        if was.name in ("", settings.INSTALLATION):
            raise RecoveryError(_("The database is this installation's already."))
        _name, stored, present, *_others = _facts()
        _store(present, before=stored)
        return _begin(Recovery.Cause.ADOPTED, f"{was.name} → {settings.INSTALLATION}", by=by)


def propose_end(recovery_id: int, *, by: User, evidence: str) -> Recovery:
    """Say what was compared with the provider; another person may then end it.

    A newer proposal takes the place of an older one. Raises RecoveryError.
    """
    evidence = _checked(evidence)
    with transaction.atomic():
        recovery = _locked(recovery_id)
        if obstacle := operation_rules.why_not_propose_end(recovery, by):
            raise RecoveryError(obstacle)
        # Whoever wrote an earlier proposal: this one takes its place, and its seal.
        recovery.proposed_at, recovery.proposed_by, recovery.evidence = Now(), by, evidence
        recovery.save(update_fields=["proposed_at", "proposed_by", "evidence"])
        _seal(recovery)
    log.warning("recovery_end_proposed", recovery=recovery.pk, by=by.get_username())
    return recovery


def status() -> dict[str, Any]:
    """What is stored of the installation and what is open, for `manage.py recovery status`; changes nothing."""
    installation = Installation.objects.get()
    return {
        "installation": installation.name,
        "is_ours": installation.name in ("", settings.INSTALLATION),
        "open": list(Recovery.objects.filter(ended_at=None).order_by("pk")),
        "unknown_payments": UnknownPayment.objects.filter(closed_at=None).count(),
    }


def end(recovery_id: int, *, by: User, evidence: str, reason: str) -> Recovery:
    """End it, on the evidence that this person has read. Raises RecoveryError, also when that has changed since."""
    reason = _checked(reason)
    with transaction.atomic():
        recovery = _locked(recovery_id)
        if obstacle := operation_rules.why_not_end(recovery, by):
            raise RecoveryError(obstacle)
        if recovery.evidence != evidence:
            raise RecoveryError(
                _("The evidence has changed since you read it. Close this dialog, read it again, then decide.")
            )
        if not recovery.is_sealed:
            raise RecoveryError(_("The proposal was changed outside the back office: propose it anew."))
        recovery.ended_at, recovery.ended_by, recovery.end_reason = Now(), by, reason
        recovery.save(update_fields=["ended_at", "ended_by", "end_reason"])
        _seal(recovery)
    log.warning("recovery_ended", recovery=recovery.pk, by=by.get_username())
    return recovery


def _facts() -> tuple[str, Identity, Identity, bool, bool, bool]:
    with connection.cursor() as cursor:
        cursor.execute(FACTS)
        name, stored, present, is_recovering, has_recovered, is_durable = cursor.fetchone()
    return name, tuple(stored), tuple(present), is_recovering, has_recovered, is_durable


def _begun_for_altered() -> bool:
    """Begin a new recovery where SQL has ended one, or has changed one that had ended; returns whether it has."""
    ended = Recovery.objects.filter(ended_at__isnull=False).order_by("pk")
    if all(each.is_sealed for each in ended):
        return False
    with transaction.atomic():
        altered = [each for each in ended.select_for_update(no_key=True) if not each.is_sealed]
        if altered:
            named = ", ".join(str(each.pk) for each in altered)
            _begin(Recovery.Cause.CHANGED, f"recovery {named} was changed outside the product", by=WORKER)
        for each in altered:
            _seal(each)  # as it is: the new one names it, and takes its place
    return True


def _store(present: Identity, *, before: Identity) -> bool:
    """Returns False where another process has stored it meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(STORE, [settings.INSTALLATION, *present, list(before)])
        return bool(cursor.rowcount)


def _stopped(obstacle: str) -> Finding:
    log.error("payments_stopped", reason=obstacle)
    return Finding(obstacle)


def _differences(stored: Identity, present: Identity) -> str:
    pairs = zip(PARTS, stored, present, strict=True)
    return ", ".join(f"{part} {was} → {now}" for part, was, now in pairs if was != now)


def _begin(cause: Recovery.Cause, reason: str, *, by: str) -> Recovery:
    with transaction.atomic():
        made = Recovery.objects.create(cause=cause, reason=reason, begun_by=by)
        _seal(made)
    log.error("recovery_begun", recovery=made.pk, cause=cause.value, reason=reason, by=by)
    return made


def _seal(recovery: Recovery) -> None:
    """Seal the row as it is in the database now, in the transaction that wrote it."""
    recovery.refresh_from_db()
    recovery.facts_seal = recovery.expected_seal()
    Recovery.objects.filter(pk=recovery.pk).update(facts_seal=recovery.facts_seal)


def _locked(recovery_id: int) -> Recovery:
    found = Recovery.objects.select_for_update(of=("self",)).filter(pk=recovery_id).first()
    if found is None:
        raise RecoveryError(_("There is no such recovery."))
    return found


def _checked(text: str) -> str:
    """Raises RecoveryError."""
    if fault := reason_fault(text):
        raise RecoveryError(fault)
    return text.strip()
