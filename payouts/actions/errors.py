"""Why an action was refused. Each text is a sentence for a person; nothing was changed."""

from django.utils.translation import gettext as _

from payouts.database.storable import text_fault
from payouts.models import Payout
from payouts.providers.payable import Obstacle
from payouts.rules import Personal, altered
from payouts.states import allowed_from


class PayoutError(Exception):
    """A refusal that leaves everything as it was; its text is a sentence for a person."""


class NotFoundError(PayoutError):
    def __init__(self) -> None:
        super().__init__(_("There is no such payout."))


class InvalidError(PayoutError):
    """The input cannot be a payout. `errors` has the sentences by field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(text for texts in errors.values() for text in texts))
        self.errors = errors


class UnpayableError(InvalidError):
    """The account that would pay it cannot: not to such a recipient, or not so much."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__({obstacle.field: [obstacle.sentence]})
        self.obstacle = obstacle


class NotAllowedError(PayoutError):
    """The payout's state does not allow the move."""

    def __init__(self, text: str, payout: Payout) -> None:
        super().__init__(text)
        self.status = str(payout.status)
        self.allowed = allowed_from(payout.status)


class KeysChangeError(NotAllowedError):
    """A process with a newer key has sealed it; this one is about to be replaced."""

    def __init__(self, payout: Payout) -> None:
        super().__init__(_("Keys are being changed. Try again in a minute."), payout)


class VersionError(PayoutError):
    """The payout has changed since the caller saw it."""

    def __init__(self) -> None:
        super().__init__(_("The payout has changed since you saw it. Look at it again, then decide."))


class IdempotencyError(PayoutError):
    """The idempotency key was used with another body."""

    def __init__(self) -> None:
        super().__init__(_("This idempotency key was used for a different payout."))


class FourEyesError(PayoutError):
    """This person may not decide on this payout; another one may."""


class AlteredError(PayoutError):
    """The row's seal does not fit: it was changed outside payouts.actions."""

    def __init__(self) -> None:
        super().__init__(altered())


class RecipientKeyError(PayoutError):
    """The data key in use of this recipient cannot be read: SQL put it there, or changed it."""

    def __init__(self) -> None:
        super().__init__(
            _("This recipient cannot be paid: their key was changed outside the product. manage.py audit names it.")
        )


class KeysError(Exception):
    """This process and the database do not fit: it has other keys, or other code. It must stop, and mark nothing."""


class RetiredKeyError(KeysError):
    """This process would write with a key that is retired: it was not started again when the keys were rotated."""


def refuse_if(obstacle: str, payout: Payout) -> None:
    """Raise what payouts.rules says: FourEyesError where another person may, NotAllowedError where nobody may."""
    if isinstance(obstacle, Personal):
        raise FourEyesError(obstacle)
    if obstacle:
        raise NotAllowedError(obstacle, payout)


def reason_fault(reason: str) -> str:
    """Why this is no reason to be saved; empty when it is one."""
    if not reason.strip():
        return _("Give a reason: it is saved permanently in the history.")
    return text_fault(reason)
