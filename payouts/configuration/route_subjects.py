"""Proposals about routes, which say from which account a payout is paid."""

from django.utils.translation import gettext as _

from payouts.configuration.subjects import Act, Content, ModelSubject, register
from payouts.models import Route

ANY = ("client", "currency", "recipient_kind", "from_amount", "below_amount")


@register
class RouteSubject(ModelSubject):
    name = "route"
    model = Route
    fields = ("position", *ANY, "account")
    acts = (Act.ADD, Act.CHANGE, Act.DELETE)

    def word(self, name: str, content: Content) -> str:
        is_any = content and name in ANY and content.get(name) in (None, "")
        return _("any") if is_any else super().word(name, content)
