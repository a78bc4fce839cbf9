"""A new payout by hand: the form, what it says while it is typed, and what becomes of it."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from iso4217 import Currency
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from payouts import actions, money, recipients, vault
from payouts.actions import review, routing
from payouts.admin.kit import format
from payouts.admin.kit.fields import moment_field
from payouts.admin.kit.person import person
from payouts.admin.payouts import duplicates
from payouts.admin.payouts.filters import CurrencyFilter
from payouts.files import amounts
from payouts.models import Bank, ConfigurationAlteredError, Payout, ReviewFlag
from payouts.providers import payable, registry
from payouts.recipients import Kind, RecipientError

SALT = "payouts.entry"
FORM_LIVES_FOR = timedelta(hours=12)
ALIKE_WITHIN = timedelta(days=1)
# The form's names for the domain's.
FIELDS = {"recipient_details": "account", "reference": None, "reason": None}


# The id of the list in the page from which a bank is chosen.
BANKS = "po-banks"


def _kinds() -> list[tuple[str, str]]:
    return [(kind.value, str(kind.label)) for kind in recipients.kinds_offered()]


def _currencies() -> list[tuple[str, str]]:
    """The usual ones first, then every other that can be paid."""
    known = sorted(currency.code for currency in Currency if currency.exponent is not None)
    return [(code, code) for code in dict.fromkeys((*CurrencyFilter.USUAL, *known))]


class EntryForm(forms.Form):
    """`reference` is the new payout's own, signed for the person: the form that is sent twice makes one payout."""

    reference = forms.CharField(widget=forms.HiddenInput, max_length=200)
    amount = forms.CharField(
        label=gettext_lazy("Amount"),
        max_length=32,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=_currencies, widget=UnfoldAdminSelectWidget()
    )
    user_id = forms.IntegerField(
        label=gettext_lazy("User ID"),
        min_value=1,
        max_value=2**63 - 1,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text=gettext_lazy("The recipient's number in your systems."),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Where the money goes"),
        choices=_kinds,
        widget=UnfoldAdminRadioSelectWidget(),
    )
    account = forms.CharField(
        label=gettext_lazy("Number"),
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "Of the card, the account (IBAN), the phone or the wallet; or the card's token. Spaces do not matter."
        ),
    )
    details = forms.CharField(
        label=gettext_lazy("Details"),
        required=False,
        max_length=8_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=gettext_lazy("One a line, as in “Account: 40817810099910004312”."),
    )
    name = forms.CharField(
        label=gettext_lazy("Recipient's name"), required=False, max_length=255, widget=UnfoldAdminTextInputWidget()
    )
    bank = forms.CharField(
        label=gettext_lazy("Recipient's bank"), required=False, max_length=255, widget=UnfoldAdminTextInputWidget()
    )
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=1_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    scheduled_for = moment_field(
        gettext_lazy("Not before"), gettext_lazy("In UTC. Leave empty to pay as soon as it is approved.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.banks = Bank.objects.offered()
        self.initial.setdefault("kind", self.fields["kind"].choices[0][0])  # type: ignore[attr-defined]
        if self.banks.names:
            self.fields["bank"].widget.attrs |= {"list": BANKS, "autocomplete": "off"}
            self.fields["bank"].help_text = _("Type a part of the name and choose the bank from the list.")

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if "amount" in given:
            try:
                given["amount"] = amounts.read(given["amount"], given.get("currency", ""))
            except (amounts.TextError, money.AmountError) as error:
                self.add_error("amount", str(error))
        if "kind" in given:
            try:
                given["recipient"] = self._recipient(given)
            except RecipientError as error:
                for field, sentence in error.errors.items():
                    is_free = field == "account" and given["kind"] == Kind.OTHER
                    self.add_error("details" if is_free else field, sentence)
        return given

    def _recipient(self, given: dict[str, Any]) -> dict[str, Any]:
        """Raises RecipientError."""
        if given["kind"] == Kind.OTHER:
            return recipients.free(given.get("details", ""))
        return recipients.build(
            given["kind"],
            account=given.get("account", ""),
            name=given.get("name", ""),
            bank=given.get("bank", ""),
            currency=given.get("currency", ""),
            banks=self.banks,
        )

    def explain(self, error: actions.InvalidError) -> None:
        """Add what a refusal says to the fields that it is about."""
        is_free = self.cleaned_data.get("kind") == Kind.OTHER
        for field, sentences in error.errors.items():
            shown = "details" if is_free and field == payable.RECIPIENT else FIELDS.get(field, field)
            self.add_error(shown, sentences)


def enter(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """The form; sent, the new payout's page."""
    form = EntryForm(
        request.POST if request.method == "POST" else None,
        initial={"reference": _signed(person(request)), "currency": "RUB"},
    )
    if request.method == "POST" and form.is_valid():
        payout = _submitted(person(request), form)
        if payout is not None:
            messages.success(request, _said(payout))
            return HttpResponseRedirect(reverse("admin:payouts_payout_change", args=(payout.pk,)))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("New payout"),
        "form": form,
        "banks": {"id": BANKS, "labels": form.banks.labels},
        "check_url": reverse("admin:payouts_payout_check"),
    }
    return TemplateResponse(request, "admin/payouts/payout/entry.html", context)


def check(request: HttpRequest) -> HttpResponse:
    """JSON of what is wrong, by field, of what was typed so far, and of what staff will be told."""
    form = EntryForm(request.POST)
    form.is_valid()
    given = form.cleaned_data
    is_whole = {"recipient", "amount", "currency"} <= given.keys() and "amount" not in form.errors
    notes = list(_notes(form)) if is_whole else []
    typed = {name for name in form.fields if request.POST.get(name, "").strip()}
    errors = {name: next(iter(sentences)) for name, sentences in form.errors.items() if name in typed}
    return JsonResponse({"errors": errors, "notes": notes})


def _notes(form: EntryForm) -> Iterator[str]:
    """What would be submitted; what the account cannot pay is added to the form's errors."""
    given = form.cleaned_data
    recipient, amount, currency = given["recipient"], given["amount"], given["currency"]
    name, account = recipients.name_and_account(vault.masked(recipient))
    to = " · ".join(part for part in (name, account) if part) or _("the recipient")
    yield _("%(amount)s to %(recipient)s") % {"amount": money.shown(amount, currency), "recipient": to}
    try:
        user_id = given.get("user_id")
        judgement = review.preview(user_id=user_id, amount=amount, currency=currency, recipient=recipient)
    except ConfigurationAlteredError as error:
        yield str(error)
        return
    yield from _payer(form, recipient=recipient, amount=amount, currency=currency)
    for flag in judgement.flags:
        if flag == ReviewFlag.POSSIBLE_DUPLICATE:
            continue  # told below, with the payout that it repeats
        yield _("Staff will see: %(flag)s.") % {"flag": format.flag_label(flag)}
    alike = Payout.objects.filter(
        recipient_index=recipients.blind_index(vault.normal(recipient)),
        currency=currency,
        amount=amount,
        created_at__gt=timezone.now() - ALIKE_WITHIN,
    ).order_by("-created_at")
    if earlier := alike.only("pk", "created_at").first():
        yield f"{duplicates.duplicate_of(earlier, gap=timezone.now() - earlier.created_at)}."
    required = judgement.approvals_required
    yield ngettext(
        "Needs %(count)s approval by another person.", "Needs %(count)s approvals by other people.", required
    ) % {"count": required}


def _payer(form: EntryForm, **payment: Any) -> Iterator[str]:
    """Which account will pay, unless it cannot. Raises ConfigurationAlteredError."""
    account = routing.account_for(**payment, routes=review.InForce.of(payment["currency"]).routes)
    if obstacle := payable.obstacle(account, **payment):
        form.explain(actions.UnpayableError(obstacle))
        return
    label = registry.label(account)
    yield _("Will be paid from the account %(account)s.") % {"account": f"{account} ({label})" if label else account}


def _submitted(maker: User, form: EntryForm) -> Payout | None:
    """The new payout, or the one that this form made before; None with the errors in the form."""
    given = form.cleaned_data
    try:
        return actions.submit(
            maker=maker,
            user_id=given["user_id"],
            amount=given["amount"],
            currency=given["currency"],
            recipient=given["recipient"],
            comment=given["comment"],
            scheduled_for=given["scheduled_for"],
            reference=_reference(maker, given["reference"]),
        )
    except actions.InvalidError as error:
        form.explain(error)
    except (ConfigurationAlteredError, actions.RecipientKeyError) as error:
        form.add_error(None, str(error))
    except signing.BadSignature:
        form.add_error(None, _("This form is too old, or not yours. Open a new one."))
    return None


def _signed(user: User) -> str:
    return signing.TimestampSigner(salt=SALT).sign_object([user.pk, str(uuid.uuid4())])


def _reference(user: User, text: str) -> uuid.UUID:
    """Raises BadSignature."""
    user_id, reference = signing.TimestampSigner(salt=SALT).unsign_object(text, max_age=FORM_LIVES_FOR)
    if user_id != user.pk:
        raise signing.BadSignature
    return uuid.UUID(reference)


def _said(payout: Payout) -> str:
    if payout.is_replay:
        return _("%(payout)s was already created from this form. No second payout was made.") % {"payout": payout}
    said = ngettext(
        "Payout %(payout)s created. Needs %(count)s approval.",
        "Payout %(payout)s created. Needs %(count)s approvals.",
        payout.approvals_required,
    )
    return said % {"payout": f"#{payout.pk}", "count": payout.approvals_required}
