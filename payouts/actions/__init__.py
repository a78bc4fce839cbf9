"""Every change to a payout, and the only code that makes one.

An action locks the row, checks, moves, records the event and rings for the worker, all in one transaction. It returns
the payout, or raises a PayoutError whose text is a sentence for a person. Times are the database's, in UTC.
"""

from payouts.actions.approvals import approve, reject, withdraw_approval
from payouts.actions.assignments import Assignment
from payouts.actions.claims import claim, claim_suspect
from payouts.actions.decisions import (
    ask_now,
    cancel,
    clear_flag,
    hold,
    release,
    retry,
    schedule,
    settle,
    withdraw,
)
from payouts.actions.disclosures import TooManyRevealsError, reveal
from payouts.actions.errors import (
    AlteredError,
    FourEyesError,
    IdempotencyError,
    InvalidError,
    KeysError,
    NotAllowedError,
    NotFoundError,
    PayoutError,
    RecipientKeyError,
    RetiredKeyError,
    UnpayableError,
    VersionError,
)
from payouts.actions.leases import end_leases, give_back
from payouts.actions.moves import Actor, Person, set_aside_altered
from payouts.actions.news import hear
from payouts.actions.outcomes import record_outcomes
from payouts.actions.reconciliation import Reported, finding, flag_missing, reconcile, record_fees
from payouts.actions.resolutions import record_return, resolve
from payouts.actions.routing import route
from payouts.actions.submission import submit, submit_approved
