"""Proposals to erase a recipient: one person asks for it, another confirms, and the recipient's key is gone for good.

Nothing here says who the recipient is: a proposal stays for ever.
"""

from collections.abc import Collection

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts import rules, vault
from payouts.actions import erasure
from payouts.configuration.errors import ConfigurationError
from payouts.configuration.proposals import Changed, change
from payouts.configuration.subjects import NOTHING, Act, Content, Line, Subject, register
from payouts.database.clock import clock
from payouts.models import Payout, Proposal, RecipientKey, read_keys

ERASE = "recipient"
WITHOUT_DUAL_CONTROL = "DUAL_CONTROL is off"


@register
class RecipientSubject(Subject):
    """A recipient's key in use is erased. What is paid to them meanwhile has the proposal made anew."""

    name = ERASE
    label = gettext_lazy("Recipient to erase")
    acts = (Act.CHANGE,)

    def permissions(self, act: str) -> tuple[str, ...]:
        return ("payouts.view_payout", "payouts.erase_recipientkey")

    def find(self, object_id: str) -> RecipientKey | None:
        """Under FOR UPDATE: whoever encrypts under the key has held it since, and waits from now on."""
        return RecipientKey.objects.select_for_update().filter(pk=object_id).first() if object_id else None

    def snapshot(self, instance: RecipientKey) -> Content:
        payouts = Payout.objects.filter(recipient_index=instance.recipient_index)
        return {"payouts": payouts.count(), "newest": payouts.aggregate(newest=Max("pk"))["newest"]}

    def title(self, proposal: Proposal, instance: RecipientKey) -> str:
        newest = proposal.before.get("newest")
        return _("recipient of the payout #%(id)s") % {"id": newest} if newest else _("recipient without payouts")

    def check(self, proposal: Proposal, instance: RecipientKey | None, *, by: User | None) -> None:
        if instance is None:
            raise ConfigurationError(_("There is no such recipient."))
        if by is None and proposal.after.get("on_server") and settings.DUAL_CONTROL:
            raise ConfigurationError(
                _("It was proposed on the server, so another person must confirm it in the back office.")
            )
        if obstacle := rules.why_not_erase(instance):
            raise ConfigurationError(obstacle)

    def apply(self, proposal: Proposal, instance: RecipientKey) -> RecipientKey:
        second = proposal.on_server or ("" if proposal.decided_by else WITHOUT_DUAL_CONTROL)
        try:
            erasure.erase(
                instance,
                at=clock(),
                proposed_by=proposal.proposed_by,
                confirmed_by=proposal.decided_by,
                on_server=second,
                reason=proposal.reason or WITHOUT_DUAL_CONTROL,
            )
        except erasure.ErasureError as error:
            raise ConfigurationError(str(error)) from error
        return instance

    def lines(self, before: Content, after: Content) -> list[Line]:
        found = [
            Line(_("Recipient's details"), _("readable"), _("erased for good")),
            Line(_("Payouts to the recipient"), str(before.get("payouts", NOTHING)), ""),
        ]
        if after.get("on_server"):
            found.append(Line(_("Proposed on the server"), "", str(after["on_server"])))
        return found


def erase(key_id: int, *, by: User, reason: str, on_server: str = "") -> Changed:
    """Propose to erase the recipient of this key; another person confirms. Raises ConfigurationError.

    `on_server` names who gave a command for the person: then the server is no second person. While DUAL_CONTROL is
    off it is done at once.
    """
    return change(ERASE, key_id, {"erased": True, "on_server": on_server}, by=by, reason=reason)


def keys_of(payouts: Collection[Payout]) -> list[RecipientKey]:
    """The keys of these payouts' recipients that are in use. Raises ConfigurationError where one has none."""
    if any(vault.key_named(payout.recipient) is None for payout in payouts):
        raise ConfigurationError(
            _("Payouts to this recipient are not under a key of their own yet: run manage.py rotate_keys first.")
        )
    read_keys(payouts)
    found = {payout.recipient_key.pk: payout.recipient_key for payout in payouts if payout.recipient_key}
    return [key for _pk, key in sorted(found.items()) if not key.erased_at]


def key_of_index(index: bytes) -> RecipientKey | None:
    return RecipientKey.objects.filter(recipient_index=index, erased_at=None).first()
