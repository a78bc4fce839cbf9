"""What is stored, and what must always hold of it: every rule that the database can keep is a named constraint.

Rows of payouts are written by `payouts.actions` alone, and never deleted.
"""

from payouts.models.archived import RESTING, Archived, History, bundles, contradicted_attempts, history_of
from payouts.models.attempts import Approval, Attempt, Confirmation, Exchange
from payouts.models.authority import AuthoritySeal
from payouts.models.banks import NO_BANKS, Bank, BankList
from payouts.models.batches import BEING_SUBMITTED, UNDECIDED, Batch, BatchRow, BatchState
from payouts.models.bundles import BundleError, packed
from payouts.models.checkpoints import Checkpoint
from payouts.models.clients import ApiClient, ApiKey, ApiKeyQuerySet, ClientAlteredError, Scope
from payouts.models.configuration import ApprovalBand, PayoutLimit, ReviewFlag, ReviewRule
from payouts.models.days import ReconciledDay
from payouts.models.decisions import BulkDecision, BulkItem
from payouts.models.events import Event, EventName, by_payout, is_legal
from payouts.models.exports import Export, ExportChunk
from payouts.models.figures import FigureSource, FigureTotal
from payouts.models.funds import (
    BALANCE_HOLDS,
    WAITS_AFTER_REFUSAL,
    WAITS_FOR_BALANCE,
    WAITS_FOR_FUNDS,
    AccountBalance,
)
from payouts.models.installation import Installation, Recovery, UnknownPayment, namespace
from payouts.models.keys import KeyMark, KeyRotation
from payouts.models.logins import Passkey, SingleSignOn
from payouts.models.operations import CALL_SECONDS, AuditRun, Backup, DailyTotal, Heartbeat, MinuteSample
from payouts.models.payout import (
    LEASED,
    RESOLVED_BY_HAND,
    SUSPECT_LEASES,
    WATCHED,
    Attention,
    Payout,
    PayoutQuerySet,
    terms_hash,
)
from payouts.models.people import AccessEvent, Authenticator, BackupCodes, PasswordLink, SavedView
from payouts.models.proposals import Proposal, ProposalQuerySet
from payouts.models.providers import (
    WRONG_ACCOUNT_FOR,
    Breaker,
    ProviderPause,
    UnsignedNews,
    WebhookMessage,
    WrongAccount,
)
from payouts.models.recipient_keys import RecipientKey, UnderKey, read_keys
from payouts.models.routes import Route
from payouts.models.sealed_sets import ConfigurationAlteredError, ConfigurationSeal, SealedRow
from payouts.models.sessions import StaffSession
from payouts.models.stamps import stamp
from payouts.models.statements import ProviderReport, ReportLine
from payouts.models.submitted import SubmittedSum
from payouts.models.velocity import (
    BUCKETS,
    LET_GO,
    WAITS_FOR_ACCOUNT,
    WAITS_FOR_CONFIGURATION,
    WAITS_FOR_LIMIT,
    WAITS_FOR_US,
    WINDOW_LENGTHS,
    VelocityLimit,
    VelocityScope,
    VelocityUse,
    VelocityWindow,
)
