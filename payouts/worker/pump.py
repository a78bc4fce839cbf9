"""Pay what is due: claim a batch, call the provider from threads, record what it answers, until nothing is left.

The database is touched by the calling thread alone, and no call is made inside a transaction.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from queue import Empty, SimpleQueue

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now
from structlog.contextvars import bound_contextvars

from payouts import actions, doorbell, spans, trace
from payouts.actions import Assignment, KeysError, breaker, wrong_accounts
from payouts.jobs import Stop, never
from payouts.models import Attempt, Heartbeat
from payouts.providers import (
    ADAPTER_FAILED,
    ID_NOT_TOLD,
    OUT_OF_REACH,
    PAID_ELSEWHERE,
    PAID_LATER,
    Answer,
    Provider,
    Verdict,
    logged_calls,
)
from payouts.providers.registry import get_provider, known_names
from payouts.worker import broker

log = structlog.get_logger(__name__)

type Outcome = tuple[Assignment, Answer | None]

# Left for recording the last answers before q2's time limit kills the worker.
RECORDING_SECONDS = 5.0
RECORD_AT_ONCE = 200
AWAY_PAUSE_SECONDS = 0.5
PAID_LATER_MESSAGE = "The provider knows a later attempt of this payout, which the database has forgotten."
PAID_ELSEWHERE_MESSAGE = "Another account knows this payment, which the database has forgotten."
# What a look-up says of a key under which no money has left.
NOT_PAID = (Verdict.REFUSED, Verdict.ABSENT)


def run(*, provider: Provider | None = None, must_stop: Stop = never) -> None:
    """Work until nothing is due, the time is up, or `must_stop`; ring for what is left.

    A call begins only while it can still end, after PROVIDER_TIMEOUT_SECONDS, before q2's time limit and before its
    lease does: a process that was stopped meanwhile must not pay what another has claimed since. What is claimed here
    is recorded here, or found by the next look-up.
    """
    last_start = time.monotonic() + settings.Q_TIMEOUT_SECONDS - settings.PROVIDER_TIMEOUT_SECONDS - RECORDING_SECONDS
    if provider is None:
        for name in known_names():
            get_provider(name)  # stops us before anything is claimed, if the settings make no provider
    concurrency = settings.PROVIDER_CONCURRENCY
    holder = broker.progress.group if broker.progress else ""
    threads = _threads(concurrency)
    outcomes: SimpleQueue[Outcome] = SimpleQueue()
    outstanding, has_rung, has_begun = 0, False, False
    failure: Exception | None = None

    def call(assignment: Assignment, lease_ends: float) -> None:
        last = min(last_start, lease_ends - settings.PROVIDER_TIMEOUT_SECONDS)
        outcomes.put((assignment, _exchange(provider, assignment, last)))

    while True:
        is_open = failure is None and time.monotonic() < last_start and not must_stop()
        if is_open and outstanding <= concurrency:
            # One batch being called, one waiting: no thread is idle while the next is claimed.
            limit = 2 * concurrency - outstanding
            try:
                # By our clock, and from before the claim: no later than by the database's.
                lease_ends, began_ns = time.monotonic() + settings.LEASE_SECONDS, spans.now_ns()
                # One suspect when we begin, and others when there is nothing else: never beside another payout.
                claimed = [] if has_begun else actions.claim_suspect(holder=holder)
                claimed = claimed or actions.claim(limit=limit, holder=holder)
                if not claimed and not outstanding:
                    claimed = actions.claim_suspect(holder=holder)
                has_begun = True
                for assignment in claimed:
                    _past("claim", assignment, began_ns)
                    threads.submit(call, assignment, lease_ends)
                    outstanding += 1
                if len(claimed) == limit and not has_rung:
                    doorbell.ring()  # another worker can help
                    has_rung = True
            except Exception as error:
                failure = error  # what is under way is recorded first
        if not outstanding:
            break
        outstanding -= _record(outcomes)
    if isinstance(failure, KeysError):  # the sweep rings again
        _tell_people(failure)
        return
    if failure:
        raise failure
    if not is_open:
        doorbell.ring()


def _past(name: str, assignment: Assignment, began_ns: int) -> None:
    spans.past(name, assignment.instruction.request_id, began_ns=began_ns, payout=assignment.payout_id)


def _exchange(provider: Provider | None, assignment: Assignment, last_start: float) -> Answer | None:
    """The provider's answer, or None when it is too late to begin.

    An error that the adapter did not foresee is an unknown outcome like any other.
    """
    began_at = time.monotonic()
    if began_at >= last_start:
        return None
    deadline = began_at + settings.PROVIDER_TIMEOUT_SECONDS
    payout, client = assignment.payout_id, assignment.client_id
    request_id = assignment.instruction.request_id
    about = {"request_id": request_id, "payout": payout, "client": client}
    with (
        bound_contextvars(**{name: value for name, value in about.items() if value}),
        trace.of(request_id),
        spans.span("exchange", payout=payout, client=client, attempt=str(assignment.attempt.reference)),
    ):
        try:
            return _answer(provider, assignment, deadline)
        except Exception:
            log.exception("provider_adapter_failed", provider=assignment.attempt.provider)
            return ADAPTER_FAILED


def _answer(given: Provider | None, assignment: Assignment, deadline: float) -> Answer:
    """An attempt's first call pays; every later one looks up, and pays under the same key if there is nothing.

    Where nobody can be asked, the same key within its life is the question: the provider pays it once.
    Nothing is paid before the provider has said of every earlier key that it was not paid, in recovery mode of the
    next keys too, and every other account of this one. A refusal of a key that was sent before is confirmed by a
    look-up: the call before may have been the one that counts.
    """
    provider = given or get_provider(assignment.attempt.provider)
    answer = None
    if not assignment.is_first_call:
        asked = assignment.of_refused if assignment.is_doubted else assignment.instruction
        answer = logged_calls.look_up(provider, asked, deadline=deadline)
        is_unpaid = answer.verdict == Verdict.ABSENT or (answer.verdict == Verdict.REFUSED and assignment.is_doubted)
        if not ((is_unpaid or answer.code == ID_NOT_TOLD) and (assignment.may_post or assignment.is_doubted)):
            return answer
    for earlier in assignment.earlier:
        its_provider = given or get_provider(earlier.provider)
        found = logged_calls.look_up(its_provider, assignment.of_earlier(earlier), deadline=deadline)
        if found.verdict not in NOT_PAID and not _is_all_there_is(earlier, found):
            return replace(found, about=earlier.reference, told_by=earlier.provider)
    if answer and assignment.is_doubted:
        return answer
    for key in assignment.later:
        found = logged_calls.look_up(provider, assignment.of_later(key), deadline=deadline)
        if found.verdict == Verdict.UNKNOWN:
            return replace(found, about=key)
        if found.verdict not in NOT_PAID:
            return Answer(Verdict.UNKNOWN, found.provider_id, PAID_LATER, PAID_LATER_MESSAGE, about=key)
    for name in assignment.elsewhere:
        if found_there := _known_elsewhere(given, name, assignment, deadline):
            return found_there
    paid = logged_calls.pay(provider, assignment.instruction, deadline=deadline)
    if answer and paid.verdict == Verdict.REFUSED:
        confirmed = logged_calls.look_up(provider, assignment.of_refused, deadline=deadline)
        return paid if confirmed.verdict in NOT_PAID else confirmed
    return paid


def _is_all_there_is(refused: Attempt, found: Answer) -> bool:
    """Whether a refusal stands where nobody can be asked about it: the key was sent once, and this was the answer."""
    return found.code == ID_NOT_TOLD and refused.calls == 1


def _known_elsewhere(given: Provider | None, name: str, assignment: Assignment, deadline: float) -> Answer | None:
    """What another account says of the keys, where that keeps them from being sent; None where it knows of none.

    All are asked about: a refusal may leave no trace there, and then the next key was sent. An account that can say
    nothing of any key holds up nobody, for its payments are for people to compare before they end recovery mode; but
    where it was heard to know this one, people are asked.
    """
    heard = Answer(Verdict.UNKNOWN, code=PAID_ELSEWHERE, message=PAID_ELSEWHERE_MESSAGE)
    if not given and name not in known_names():
        return heard
    provider = given or get_provider(name)
    for key in (assignment.attempt.reference, *assignment.later):
        found = logged_calls.look_up(provider, assignment.of_elsewhere(key, name), deadline=deadline)
        if found.code in (OUT_OF_REACH, ID_NOT_TOLD):
            return heard if name in assignment.told else None
        if found.verdict == Verdict.UNKNOWN:
            return replace(found, told_by=name)
        if found.verdict not in NOT_PAID:
            return Answer(Verdict.UNKNOWN, found.provider_id, PAID_ELSEWHERE, PAID_ELSEWHERE_MESSAGE)
    return None


def _record(outcomes: "SimpleQueue[Outcome]") -> int:
    """Wait for an outcome, record it together with the others that have come, and return how many."""
    taken = [outcomes.get()]
    while len(taken) < RECORD_AT_ONCE:
        try:
            taken.append(outcomes.get_nowait())
        except Empty:
            break
    _record_answers([(assignment, answer) for assignment, answer in taken if answer is not None])
    _note(taken)
    _give_back([assignment for assignment, answer in taken if answer is None])
    return len(taken)


def _note(taken: list[Outcome]) -> None:
    """Tell the circuit breaker how each provider does. While the database is away, later answers will tell it."""
    for provider in {assignment.attempt.provider for assignment, _answer in taken}:
        ours = [
            (assignment, answer)
            for assignment, answer in taken
            if answer is not None and assignment.attempt.provider == provider
        ]
        try:
            if any(answer.is_heard for _assignment, answer in ours):
                breaker.note_answer(provider)
            elif outages := [each.attempt.last_called_at for each, answer in ours if answer.is_outage]:
                breaker.note_failures(provider, outages)
            else:
                breaker.return_probe(provider)
        except (OperationalError, InterfaceError):
            log.exception("outage_not_noted", provider=provider)
    try:
        wrong_accounts.note((answer.told_by or each.attempt.provider, answer) for each, answer in taken if answer)
    except (OperationalError, InterfaceError):
        log.exception("wrong_account_not_noted")


def _tell_people(failure: KeysError) -> None:
    """The log says why, and the start page of which cluster."""
    log.critical("keys_do_not_fit", reason=str(failure))
    if not broker.progress:
        return
    try:
        Heartbeat.objects.filter(cluster=broker.progress.cluster).update(unfit_at=Now())
    except (OperationalError, InterfaceError):
        log.exception("unfit_not_told")


def _give_back(assignments: list[Assignment]) -> None:
    """Give claims back before their lease ends, if the database can be reached."""
    try:
        actions.give_back(assignments)
    except (OperationalError, InterfaceError):
        log.exception("not_given_back", size=len(assignments))


def _record_answers(answered: list[tuple[Assignment, Answer]]) -> None:
    """Record the answers, trying for RECORDING_SECONDS if the database is away; look-ups tell what is lost."""
    give_up, began_ns = time.monotonic() + RECORDING_SECONDS, spans.now_ns()
    while True:
        try:
            actions.record_outcomes(answered)
        except (OperationalError, InterfaceError):
            log.exception("database_away", size=len(answered))
            if time.monotonic() > give_up:
                return
            connection.close_if_unusable_or_obsolete()
            time.sleep(AWAY_PAUSE_SECONDS)
        except KeysError as error:  # look-ups tell, by a process with the right keys
            _tell_people(error)
            return
        except Exception:
            log.exception("batch_not_recorded", size=len(answered))
            _record_each(answered)
            return
        else:
            for assignment, _answer in answered:
                _past("record", assignment, began_ns)
            return


def _record_each(answered: list[tuple[Assignment, Answer]]) -> None:
    """One by one: a payout that cannot be recorded holds up no other; its lease ends, and it is looked up."""
    for assignment, answer in answered:
        try:
            actions.record_outcomes([(assignment, answer)])
        except Exception:
            log.exception("outcome_not_recorded", payout=assignment.payout_id)


@cache
def _threads(concurrency: int) -> ThreadPoolExecutor:
    """The threads that call providers, kept between pumps because each keeps its connection."""
    return ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="provider")
