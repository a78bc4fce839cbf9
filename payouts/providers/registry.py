"""Who pays, by the name of the account. To add a provider: a folder beside this file, and its line in KINDS."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache

from django.conf import settings
from django.utils.functional import Promise

from payouts.providers import (
    Account,
    Kind,
    ListsBanks,
    ListsPayments,
    Provider,
    RecipientKind,
    ReportFormat,
    TellsBalance,
    TellsPayment,
    http,
    paypal,
    yookassa,
)
from payouts.providers.csv_report import CSV

KINDS: dict[str, Kind] = {kind.name: kind for kind in (http.KIND, yookassa.KIND, paypal.KIND)}
# The account that PROVIDER_URL means, and whose payouts were made before accounts had names.
UNNAMED = http.KIND.name


class UnknownProviderError(LookupError):
    """No account goes by that name."""


def accounts() -> dict[str, Account]:
    """Those that the environment names: of PROVIDER_URL, and of PROVIDERS. At least one, however little works."""
    named = {
        name: Account(name, kind, settings.PROVIDER_VALUES.get(name, {})) for name, kind in settings.PROVIDERS.items()
    }
    is_named = UNNAMED in named and (named[UNNAMED].kind != http.KIND.name or not settings.PROVIDER_URL)
    if is_named or (named and not settings.PROVIDER_URL):
        return named
    values = {
        "URL": settings.PROVIDER_URL,
        "TOKEN": settings.PROVIDER_TOKEN,
        "ACCOUNT": settings.PROVIDER_ACCOUNT,
        "WEBHOOK_SECRET": settings.PROVIDER_WEBHOOK_SECRET,
    }
    return named | {UNNAMED: Account(UNNAMED, http.KIND.name, values)}


def default() -> str:
    """The account that pays when nothing else is said: the first that PROVIDERS names, or else that of PROVIDER_URL.

    Processes that are not given PROVIDER_URL, as a web server that never pays, choose the same.
    """
    return next(iter(settings.PROVIDERS), UNNAMED)


def known_names() -> list[str]:
    """The names of the accounts, sorted."""
    return sorted(accounts())


def find(name: str) -> tuple[Account, Kind]:
    """Raises UnknownProviderError, also for an account of a kind that there is not."""
    account = accounts().get(name)
    kind = KINDS.get(account.kind) if account else None
    if account is None or kind is None:
        raise UnknownProviderError(f"There is no provider named {name!r}.")
    return account, kind


def label(name: str) -> str:
    """What people call the kind of that account; empty for an account that nobody knows."""
    try:
        return find(name)[1].label
    except UnknownProviderError:
        return ""


def get_provider(name: str) -> Provider:
    """The provider of that account, made from the settings.

    Raises UnknownProviderError, and ValueError for settings that cannot work.
    """
    account, kind = find(name)
    return _made(kind, account.name, tuple(account.values.items()))


@lru_cache(32)
def _made(kind: Kind, name: str, values: tuple[tuple[str, str], ...]) -> Provider:
    return kind.make(Account(name, kind.name, dict(values)))


def fingerprint_of(name: str) -> str:
    """The fingerprint of that account in the present settings; empty when they make no such provider."""
    try:
        return get_provider(name).account
    except (UnknownProviderError, ValueError):
        return ""


def is_asked_by_reference(name: str) -> bool:
    """Whether that account's provider can be asked before it has told its own id."""
    try:
        return find(name)[1].is_asked_by_reference
    except UnknownProviderError:
        return True


def key_life(name: str) -> timedelta:
    """How long that account's provider is trusted to remember an idempotency key."""
    try:
        declared = find(name)[1].key_life
    except UnknownProviderError:
        declared = None
    return timedelta(seconds=settings.PROVIDER_KEY_TTL_SECONDS) if declared is None else declared


def recipient_kinds() -> dict[str, str | Promise]:
    """The ways to be paid that the providers declare: their labels by name, sorted by name."""
    return {way.name: way.label or way.name for way in sorted(_declared(), key=lambda way: way.name)}


def recipients_of(name: str) -> Sequence[RecipientKind] | None:
    """The ways to be paid that this account has; None where its provider declares none, or nobody knows it."""
    try:
        account, kind = find(name)
        return kind.recipients_of(account) if kind.recipients_of else kind.recipients
    except UnknownProviderError:
        return None
    except ValueError:  # settings that cannot work: nothing is sent
        return kind.recipients


def ways_for(recipient: Mapping[str, object], name: str) -> Sequence[RecipientKind] | None:
    """The ways in which this account could pay the recipient, in clear; None where it is given whatever comes."""
    ways = recipients_of(name)
    if ways is None:
        return None
    account, kind = find(name)
    given = [way for way in ways if all(recipient.get(field) for field in way.fields)]
    try:
        return [way for way in given if way.name == kind.way_of(account, recipient)] if kind.way_of else given
    except ValueError:  # settings that cannot work: nothing is sent
        return given


def takes_field(field: str) -> bool:
    """Whether some account could pay a recipient by what stands under that name, as far as accounts declare it."""
    declared = [recipients_of(name) for name in accounts()]
    return any(ways is None or any(field in way.fields for way in ways) for ways in declared)


def declares_field(field: str) -> bool:
    """Whether some account declares a way to be paid that takes it."""
    declared = [recipients_of(name) or () for name in accounts()]
    return any(field in way.fields for ways in declared for way in ways)


def is_of_kind(recipient: Mapping[str, object], kind: str, name: str) -> bool:
    """Whether the recipient, in clear, gives all that the account's provider takes for this way to be paid.

    An account that declares no ways goes by what the other providers mean by the word.
    """
    ways = recipients_of(name)
    return any(
        way.name == kind and all(recipient.get(field) for field in way.fields)
        for way in (_declared() if ways is None else ways)
    )


def _declared() -> list[RecipientKind]:
    return [way for kind in KINDS.values() for way in kind.recipients or ()]


def accounts_by_kind() -> dict[str, list[str]]:
    """The names of the accounts of each kind that the environment names and that there is."""
    found: dict[str, list[str]] = {}
    for name, account in accounts().items():
        if account.kind in KINDS:
            found.setdefault(account.kind, []).append(name)
    return found


def tells_balance(name: str) -> bool:
    """Whether that account's provider tells what there is to pay from."""
    return _declares(name, lambda kind: kind.tells_balance)


def is_signed(name: str) -> bool:
    """Whether that account's webhooks prove their sender."""
    return _declares(name, lambda kind: kind.is_signed)


def lists_payments(name: str) -> bool:
    """Whether that account's provider lists its payments."""
    return _declares(name, lambda kind: kind.lists_payments)


def formats_of(name: str) -> tuple[ReportFormat, ...]:
    """The files of payments that are read for that account: the provider's own, and our CSV."""
    try:
        declared = find(name)[1].reports
    except UnknownProviderError:
        declared = ()
    return (*declared, CSV)


def zone_of(name: str) -> str:
    """The time zone whose days that account's provider counts, by its IANA name."""
    return formats_of(name)[0].zone


def balance_of(name: str) -> TellsBalance:
    """Whom to ask for that account's balance. Raises UnknownProviderError, and ValueError as `get_provider` does."""
    provider = get_provider(name)
    if not isinstance(provider, TellsBalance):
        raise UnknownProviderError(f"The provider {name!r} tells no balance.")
    return provider


def payment_of(name: str) -> TellsPayment:
    """Whom to ask for a payment of that account by its id. Raises as `balance_of` does."""
    provider = get_provider(name)
    if not isinstance(provider, TellsPayment):
        raise UnknownProviderError(f"The provider {name!r} tells no payment by its id.")
    return provider


def payments_of(name: str) -> ListsPayments:
    """Whom to ask for that account's payments. Raises as `balance_of` does."""
    provider = get_provider(name)
    if not isinstance(provider, ListsPayments):
        raise UnknownProviderError(f"The provider {name!r} lists no payments.")
    return provider


def banks_of(name: str) -> ListsBanks:
    """Whom to ask for the banks that the account pays to. Raises as `balance_of` does."""
    provider = get_provider(name)
    if not isinstance(provider, ListsBanks):
        raise UnknownProviderError(f"The provider {name!r} lists no banks.")
    return provider


def _declares(name: str, what: Callable[[Kind], bool]) -> bool:
    try:
        return what(find(name)[1])
    except UnknownProviderError:
        return False
