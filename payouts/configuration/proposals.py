"""A change of the configuration is proposed by one person and in force by another's confirmation.

While DUAL_CONTROL is off, `change` makes it so at once. On the server a command stands for the second person.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts.configuration import rules_of_two
from payouts.configuration.errors import ConfigurationError
from payouts.configuration.subjects import Act, Content, Subject, subject
from payouts.database.storable import is_storable, text_fault, turn_fault
from payouts.models import ClientAlteredError, ConfigurationAlteredError, Proposal, ProposalQuerySet

log = structlog.get_logger(__name__)

EXPIRES_AFTER = timedelta(hours=72)
TITLE_LIMIT = 300

Decision = Proposal.Decision


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a change: a proposal that another person must confirm, or the object as it is now."""

    proposal: Proposal | None
    instance: Any = None
    key: str = ""  # in clear, this once, where one was made


def change(
    subject_name: str, object_id: object, after: Content, *, by: User, reason: str = "", act: str = Act.CHANGE
) -> Changed:
    """Propose a change, or make it at once: while DUAL_CONTROL is off, and in the safe direction.

    Raises ConfigurationError. `after` is what the object is to be, and is empty for a deletion; `object_id` is empty
    for a new one.
    """
    with _in_one_transaction():
        kind, proposal, instance = _considered(subject_name, object_id, after, by=by, act=act)
        if settings.DUAL_CONTROL and not kind.is_safe(proposal):
            return Changed(propose(subject_name, object_id, after, by=by, reason=reason, act=act))
        proposal.reason = reason.strip()
        made = kind.apply(proposal, instance)
        if not (kind.taken and act == Act.ADD):
            return Changed(None, made)
        proposal.result_id = str(made.pk)
        return Changed(None, made, kind.take(proposal))


def apply_now(subject_name: str, object_id: object, after: Content, *, by: User, act: str = Act.CHANGE) -> Any:
    """Make a change in the safe direction, for which one person is enough, whatever DUAL_CONTROL says.

    Returns the object. Raises ConfigurationError.
    """
    with _in_one_transaction():
        kind, proposal, instance = _considered(subject_name, object_id, after, by=by, act=act)
        return kind.apply(proposal, instance)


def propose(
    subject_name: str, object_id: object, after: Content, *, by: User, reason: str, act: str = Act.CHANGE
) -> Proposal:
    """Store a change that another person must confirm within 72 hours. Raises ConfigurationError."""
    reason = _given(reason)
    with _in_one_transaction():
        kind, proposal, _instance = _considered(subject_name, object_id, after, by=by, act=act)
        if proposal.before == proposal.after:
            raise ConfigurationError(_("Nothing would change."))
        _expire(kind.name, proposal.object_id)
        proposal.reason = reason
        proposal.expires_at = Now() + EXPIRES_AFTER
        try:
            with transaction.atomic():
                proposal.save(force_insert=True)
        except IntegrityError as error:
            if "proposal_one_open" not in str(error):
                raise
            raise ConfigurationError(_("A change of this is proposed already: decide on it first.")) from error
        _seal(proposal)
        kind.proposed(proposal)
    log.info("proposed", proposal=proposal.pk, subject=kind.name, act=act, by=by.get_username())
    return proposal


def confirm(proposal_id: int, *, by: User | None = None, on_server: str = "") -> Proposal:
    """Put it in force, in the same transaction. Raises ConfigurationError, also where the object has changed since.

    `on_server` names who gave a command of the server's, which stands for the second person.
    """
    with _in_one_transaction():
        kind, proposal = _locked(proposal_id)
        by = _fresh(by)
        _refuse_if(rules_of_two.why_not_confirm(proposal, by) if by else _why_not_on_server(proposal, on_server))
        _refuse_if(_why_proposer_may_not(kind, proposal))
        instance = kind.find(proposal.object_id)
        if instance is None and proposal.object_id:
            raise ConfigurationError(_("It is gone, so nothing can change."))
        if _present(kind, proposal, instance) != proposal.before:
            raise ConfigurationError(_("It was changed meanwhile: propose the change anew."))
        kind.check(proposal, instance, by=by)
        _decide(proposal, Decision.CONFIRMED, by=by, on_server=on_server)
        made = kind.apply(proposal, instance)
        proposal.result_id = str(made.pk) if made is not None else ""
        proposal.applied_at = None if kind.taken and proposal.act == Act.ADD else proposal.decided_at
        _seal(proposal)
    name = "proposal_confirmed" if by else "proposal_confirmed_on_server"
    log.warning(name, proposal=proposal.pk, subject=kind.name, by=by.get_username() if by else on_server)
    return proposal


def decline(proposal_id: int, *, by: User | None = None, reason: str, on_server: str = "") -> Proposal:
    """Refuse it for good, with a reason. Raises ConfigurationError."""
    reason = _given(reason)
    with _in_one_transaction():
        _kind, proposal = _locked(proposal_id)
        by = _fresh(by)
        _refuse_if(rules_of_two.why_not_decline(proposal, by) if by else _why_not_on_server(proposal, on_server))
        proposal.decision_reason = reason
        _decide(proposal, Decision.DECLINED, by=by, on_server=on_server)
        _seal(proposal)
    log.info("proposal_declined", proposal=proposal.pk, by=by.get_username() if by else on_server)
    return proposal


def withdraw(proposal_id: int, *, by: User) -> Proposal:
    """The proposer takes it back. Raises ConfigurationError."""
    with _in_one_transaction():
        _kind, proposal = _locked(proposal_id)
        _refuse_if(rules_of_two.why_not_withdraw(proposal, by))
        _decide(proposal, Decision.WITHDRAWN, by=by)
        _seal(proposal)
    log.info("proposal_withdrawn", proposal=proposal.pk, by=by.get_username())
    return proposal


def take_key(proposal_id: int, *, by: User) -> str:
    """The confirmed key, or the code of a password link, in clear, this once: its proposer makes it.

    Raises ConfigurationError.
    """
    with _in_one_transaction():
        kind, proposal = _locked(proposal_id)
        fresh = _fresh(by)
        assert fresh is not None
        _refuse_if(rules_of_two.why_not_take(proposal, fresh))
        key: str = kind.take(proposal)
        proposal.applied_at = Now()
        proposal.save(update_fields=["applied_at", "result_id"])
        _seal(proposal)
    event = "key_taken" if kind.taken == "key" else "password_link_taken"
    log.warning(event, proposal=proposal.pk, by=by.get_username())
    return key


def open_proposals() -> ProposalQuerySet:
    """Those that somebody can still confirm, oldest first."""
    return Proposal.objects.open().select_related("proposed_by").order_by("pk")


def open_about(subject_name: str, object_id: object) -> Proposal | None:
    """The open proposal about this object, for its page."""
    return open_proposals().filter(subject=subject_name, object_id=str(object_id)).first()


def _considered(
    subject_name: str, object_id: object, after: Content, *, by: User, act: str
) -> tuple[Subject, Proposal, Any]:
    """The subject, a proposal that is not stored yet, and the object with its row locked.

    Raises ConfigurationError.
    """
    kind = subject(subject_name)
    person = _fresh(by)
    assert person is not None
    _refuse_if(rules_of_two.why_not_propose(kind, act, person))
    if not is_storable(after):
        raise ConfigurationError(_("A text here cannot be stored, or is nested too deeply."))
    if fault := turn_fault(after):
        raise ConfigurationError(fault)
    named = "" if object_id in (None, "") else str(object_id)
    instance = kind.find(named)
    if instance is None and named:
        raise ConfigurationError(_("It is gone, so nothing can change."))
    content: Content = {} if act == Act.DELETE else after
    proposal = Proposal(subject=kind.name, object_id=named, act=act, after=content, proposed_by=person)
    proposal.before = _present(kind, proposal, instance)
    proposal.title = kind.title(proposal, instance)[:TITLE_LIMIT]
    kind.check(proposal, instance, by=person)
    return kind, proposal, kind.find(named)


def _given(reason: str) -> str:
    """The reason as it is stored. Raises ConfigurationError where there is none, or it cannot be stored."""
    if not reason.strip():
        raise ConfigurationError(_("Give a reason: it is saved permanently in the history."))
    if fault := text_fault(reason):
        raise ConfigurationError(fault)
    return reason.strip()


def _present(kind: Subject, proposal: Proposal, instance: Any) -> Content:
    """What is there now; nothing where something is added."""
    return {} if proposal.act == Act.ADD else kind.snapshot(instance)


def _locked(proposal_id: int) -> tuple[Subject, Proposal]:
    found = (
        Proposal.objects.select_for_update(of=("self",)).select_related("proposed_by").filter(pk=proposal_id).first()
    )
    if found is None:
        raise ConfigurationError(_("There is no such proposal."))
    if not found.is_sealed:
        log.error("proposal_altered", proposal=found.pk)
        raise ConfigurationError(_("This proposal was changed outside the product. It cannot be decided."))
    return subject(found.subject), found


def _fresh(person: User | None) -> User | None:
    """As the database knows them now: the session may be older than the closing of the account."""
    return None if person is None else User.objects.get(pk=person.pk)


def _why_proposer_may_not(kind: Subject, proposal: Proposal) -> str:
    if rules_of_two.why_not_allowed(kind, proposal.act, proposal.proposed_by):
        return _("Whoever proposed it may not change this any more: somebody else must propose it.")
    return ""


def _why_not_on_server(proposal: Proposal, on_server: str) -> str:
    assert on_server
    return rules_of_two.why_not_open(proposal)


def _decide(proposal: Proposal, decision: Decision, *, by: User | None, on_server: str = "") -> None:
    proposal.decision, proposal.decided_by, proposal.on_server = decision, by, on_server
    proposal.decided_at = Now()
    proposal.save(update_fields=["decision", "decided_by", "on_server", "decided_at", "decision_reason"])
    proposal.refresh_from_db(fields=["decided_at"])


def _seal(proposal: Proposal) -> None:
    """Store what was set since, and seal all of it."""
    proposal.save(update_fields=["applied_at", "result_id"])
    proposal.refresh_from_db(fields=["proposed_at", "expires_at", "decided_at", "applied_at", "before", "after"])
    proposal.facts_seal = proposal.expected_seal()
    proposal.save(update_fields=["facts_seal"])


def _expire(subject_name: str, object_id: str) -> None:
    """Close what nobody decided in time, so that the same can be proposed again."""
    late = Proposal.objects.select_for_update().filter(
        subject=subject_name, object_id=object_id, decision="", expires_at__lte=Now()
    )
    for proposal in late:
        if proposal.is_sealed:  # what does not fit stays as it is, for the audit
            _decide(proposal, Decision.EXPIRED, by=None)
            _seal(proposal)


def _refuse_if(obstacle: str) -> None:
    if obstacle:
        raise ConfigurationError(obstacle)


@contextmanager
def _in_one_transaction() -> Iterator[None]:
    """What a form's field could not take is a ConfigurationError too."""
    try:
        with transaction.atomic():
            yield
    except (ConfigurationAlteredError, ClientAlteredError) as error:
        raise ConfigurationError(str(error)) from error
    except ValidationError as error:
        errors = error.message_dict if hasattr(error, "error_dict") else {}
        raise ConfigurationError(" ".join(error.messages), errors) from error
