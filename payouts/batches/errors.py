"""Why nothing is done with a batch."""

from django.utils.translation import gettext as _

from payouts.actions import AlteredError, PayoutError, VersionError
from payouts.batch_rules import altered_batch
from payouts.models import Batch


class BatchError(PayoutError):
    """A refusal that leaves the batch as it was. `earlier` is the batch that the same file is already, if it is."""

    def __init__(self, text: str, earlier: Batch | None = None) -> None:
        super().__init__(text)
        self.earlier = earlier


class BatchVersionError(VersionError):
    def __init__(self) -> None:
        PayoutError.__init__(self, _("The batch has changed since you saw it. Look at it again, then decide."))


class BatchAlteredError(AlteredError):
    def __init__(self) -> None:
        PayoutError.__init__(self, altered_batch())
