from django.urls import reverse

from payouts.models import Payout

LIST = "/admin/payouts/payout/"


def page(payout: Payout) -> str:
    return reverse("admin:payouts_payout_change", args=(payout.pk,))


def dialog(payout: Payout, name: str) -> str:
    return reverse(f"admin:payouts_payout_{name}", args=(payout.pk,))
