"""People. Only superusers propose superusers, and change those who make payouts or decide on them.

Nobody types another's password: people choose their own by a link. Whoever has another's link could act as two
people, so another person confirms it, as every change of rights. Closing an account takes one person, at once.
"""

from functools import partial
from typing import Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.decorators import display
from unfold.forms import UserChangeForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from payouts import accounts, configuration
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogForm, DialogsMixin, back_to, dialog_action, show_dialog
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.kit.plain import PlainAdmin, never
from payouts.admin.kit.proposed import ProposedMixin, after_proposing, changed_by
from payouts.admin.people import second_look, sessions_shown
from payouts.admin.people.change_messages import with_lists_and_switches
from payouts.admin.people.password_link import link_of
from payouts.admin.people.permission_words import listed_in_words, offer_in_words
from payouts.admin.people.single_sign_on_link import SingleSignOnMixin
from payouts.configuration.people_subjects import LINK, SWITCHES, TEXTS
from payouts.models import Authenticator, Passkey
from payouts.staff import access_log, groups, second_factor, sessions

admin.site.unregister(User)
# Their pages show the keys and codes.
for device in (TOTPDevice, StaticDevice):
    if admin.site.is_registered(device):
        admin.site.unregister(device)


class PersonReasonForm(DialogForm):
    reason = text_field(gettext_lazy("Saved permanently in the access log."))


class EndSessionsForm(PersonReasonForm):
    session = forms.ChoiceField(
        label=gettext_lazy("Session"),
        required=False,
        choices=[("", gettext_lazy("All of them"))],
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ("version", "session", "reason")

    def prepare(self, someone: User) -> None:
        field = self.fields["session"]
        assert isinstance(field, forms.ChoiceField)
        listed = [(each.pk, sessions_shown.in_words(each)) for each in sessions.of_person(someone)]
        field.choices = [("", _("All of them")), *listed]


class NewPersonForm(forms.ModelForm):
    """Without a password: the person chooses it by a link."""

    class Meta:
        model = User
        fields = ("username",)

    def clean_username(self) -> str:
        """Raises ValidationError for a name that differs from another's in case alone."""
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exists():
            raise forms.ValidationError(self.instance.unique_error_message(User, ("username",)))
        return name


@admin.register(User)
class UserAdmin(ProposedMixin, DialogsMixin, SingleSignOnMixin, StockUserAdmin, PlainAdmin):
    proposal_subject = "person"
    proposal_subjects_beside = ("password", "second_factor", "single_sign_on")
    form = UserChangeForm
    add_form = NewPersonForm
    list_display = ("username", "full_name", "group_names", "second_factor", "is_active", "last_login")
    list_filter = ()
    list_fullwidth = True
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    filter_vertical = ()
    sortable_by = None
    actions_detail: ClassVar[tuple[Any, ...]] = (
        *("make_link", "end_sessions", "remove_second_factor", "link_single_sign_on", "unlink_single_sign_on"),
        "close_account",
    )
    add_fieldsets = (
        (None, {"fields": ("username",)}),
        (gettext_lazy("Personal info"), {"fields": ("first_name", "last_name", "email")}),
        (gettext_lazy("Permissions"), {"fields": ("is_staff", "groups")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        found: QuerySet[User] = super().get_queryset(request)
        return found.prefetch_related("groups").annotate(
            is_mover=Exists(second_factor.movers().filter(pk=OuterRef("pk"))),
            has_second_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk"), confirmed=True))
            | Exists(Passkey.objects.filter(user=OuterRef("pk"))),
        )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(partial(second_look.second_look_view, self))
        stock = [url for url in super().get_urls() if url.name != "auth_user_password_change"]
        return [path("<int:object_id>/second-look/", view, name="auth_user_second_look"), *stock]

    # Who may do what

    has_delete_permission = never
    lookup_allowed = PlainAdmin.lookup_allowed

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, User) and not request.user.is_superuser and (obj == request.user or _is_mover(obj)):
            return False
        return super().has_change_permission(request, obj)

    def has_remove_second_factor_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_make_link_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("auth.change_user")

    def has_end_sessions_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("auth.change_user")

    def has_close_account_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("auth.change_user")

    # The form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        words: dict[Any, Any] = {"password": None}
        if obj is not None and not self.has_change_permission(request, obj):
            # Without the form's widgets raw names of permissions would stand here.
            words |= {"user_permissions": "permissions_in_words", "groups": "group_names"}
        return [
            (title, {**options, "fields": [name for each in options["fields"] if (name := words.get(each, each))]})
            for title, options in fieldsets
        ]

    def form_of(self, instance: Any) -> type[Form]:
        return cast("type[Form]", self.form if instance else self.add_form)

    def proposed_content(self, request: HttpRequest, instance: User, form: Any) -> configuration.Content:
        given = form.cleaned_data
        stored = User.objects.filter(pk=instance.pk).first()
        content = configuration.subject("person").snapshot(stored) or {"groups": [], "permissions": []}
        content |= {name: getattr(instance, name) for name in (*TEXTS, *SWITCHES)}
        if "groups" in given:
            content["groups"] = sorted(group.name for group in given["groups"])
        if "user_permissions" in given:
            content["permissions"] = groups.named(given["user_permissions"])
        return content

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        always: tuple[str, ...] = ("last_login", "date_joined")
        if obj is not None and obj.is_active:
            always = ("is_active", *always)  # closed by its own dialog, which stops the keys too
        if request.user.is_superuser:
            return always
        if obj is not None and not self.has_change_permission(request, obj):
            return ("group_names", "permissions_in_words", *always)
        return ("is_superuser", "user_permissions", *always)

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "user_permissions":
            offer_in_words(field)
        if field is not None and db_field.name == "groups":
            field.widget = UnfoldAdminCheckboxSelectMultipleWidget(choices=field.choices)
            field.help_text = db_field.help_text
            field.label_from_instance = lambda group: _(group.name)
            if not request.user.is_superuser:
                field.queryset = field.queryset.exclude(permissions__in=second_factor.moving_permissions())
                field.help_text = _("Only a superuser can add people to groups that may do more than look.")
        return field

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the link on this answer itself: a redirect would have to store it somewhere."""
        code = changed_by(request).key
        if not code:
            return super().response_add(request, obj, post_url_continue)
        access_log.log_act(request.user, obj, "link_made")
        context = {"title": _("The password link"), "link": link_of(request, code)}
        return show_dialog(request, self, obj, context)

    def page(self, request: HttpRequest, instance: User) -> dict[str, Any]:
        return {
            "rule": " ".join(filter(None, (_rule(request, instance), self.named_elsewhere(instance)))),
            "sessions": sessions_shown.rows_of(instance, request),
            "second_look_url": "" if instance.is_active else second_look.url_of(instance),
        }

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return with_lists_and_switches(super().construct_change_message(request, form, formsets, add), form)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        is_proposed = changed_by(request).proposal is not None
        needed_before = getattr(form.instance, "is_mover", False)
        if not is_proposed and not needed_before and second_factor.movers().filter(pk=form.instance.pk).exists():
            messages.warning(
                request,
                _(
                    "%(name)s now needs a second factor. If anybody else may know the password, make a password"
                    " link and hand it over in person: whoever logs in first sets up the second factor."
                )
                % {"name": form.instance.get_username()},
            )

    # The list

    @display(description=pgettext_lazy("person", "Name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name() or "–"

    @display(description=gettext_lazy("Groups"))
    def group_names(self, user: User) -> str:
        return ", ".join(_(group.name) for group in user.groups.all()) or "–"

    @display(description=gettext_lazy("User permissions"))
    def permissions_in_words(self, user: User) -> SafeString | str:
        return listed_in_words(user.user_permissions.select_related("content_type"))

    @display(description=gettext_lazy("Second factor"))
    def second_factor(self, user: User) -> SafeString | str:
        if getattr(user, "has_second_factor", False):
            return format.badge(_("In use"), tone="green", icon="verified_user")
        if settings.SECOND_FACTOR and getattr(user, "is_mover", False):
            return format.badge(_("Due at the next login"), tone="amber", icon="gpp_maybe")
        return "–"

    # Dialogs

    def dialog_summary(self, instance: User) -> dict[str, Any]:
        name = instance.get_full_name()
        return {"heading": f"{instance.get_username()} ({name})" if name else instance.get_username()}

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: User) -> str:
        if name == "make_link":
            return _why_no_link(request, instance)
        if name == "end_sessions":
            return "" if sessions.of_person(instance) else _("This person has no open session.")
        if name == "remove_second_factor" and not second_factor.has_one(instance):
            return _("This person has no second factor.")
        if obstacle := self.link_obstacle(name, instance):
            return obstacle
        return accounts.why_not_close(instance, person(request)) if name == "close_account" else ""

    @dialog_action(
        form_class=PersonReasonForm,
        permission="make_link",
        description=gettext_lazy("Make a password link"),
        title=gettext_lazy("Make a link to a new password"),
        submit=gettext_lazy("Make the link"),
        warning=gettext_lazy(
            "The person chooses a new password by it, and every session of theirs ends. The present password works"
            " until then. Make sure that this person really asked for it."
        ),
        icon="link",
    )
    def make_link(self, request: HttpRequest, form: Form, owner: User) -> str | HttpResponse:
        reason = form.cleaned_data["reason"]
        act = configuration.Act.ADD
        changed = configuration.change("password", owner.pk, LINK, by=person(request), reason=reason, act=act)
        if changed.proposal is not None:
            return after_proposing(request, changed.proposal, otherwise=self.page_url(owner))
        access_log.log_act(request.user, owner, "link_made", reason=reason)
        context = {"title": _("The password link"), "link": link_of(request, changed.key)}
        return show_dialog(request, self, owner, context)

    @dialog_action(
        form_class=EndSessionsForm,
        permission="end_sessions",
        description=gettext_lazy("End sessions"),
        title=gettext_lazy("End sessions"),
        submit=gettext_lazy("End"),
        warning=gettext_lazy("At once: the next click leads to the login. What was done stays done."),
        icon="logout",
    )
    def end_sessions(self, request: HttpRequest, form: Form, someone: User) -> str:
        ended = sessions.end(someone, row=form.cleaned_data["session"])
        access_log.log_act(request.user, someone, "sessions_ended", reason=form.cleaned_data["reason"])
        return sessions_shown.ended_in_words(ended)

    @dialog_action(
        form_class=PersonReasonForm,
        permission="remove_second_factor",
        description=gettext_lazy("Remove second factor"),
        title=gettext_lazy("Remove the second factor"),
        submit=gettext_lazy("Remove it"),
        warning=gettext_lazy(
            "Make sure that this person really asked for it. Afterwards anyone who knows the password can set up"
            " a new one."
        ),
        icon="phonelink_erase",
        is_final=True,
    )
    def remove_second_factor(self, request: HttpRequest, form: Form, loser: User) -> str | HttpResponse:
        reason = form.cleaned_data["reason"]
        changed = configuration.change(
            "second_factor", loser.pk, {}, by=person(request), reason=reason, act=configuration.Act.DELETE
        )
        if changed.proposal is not None:
            return after_proposing(request, changed.proposal, otherwise=self.page_url(loser))
        access_log.log_act(request.user, loser, "second_factor_removed", reason=reason)
        return _("The second factor of %(name)s is removed.") % {"name": loser.get_username()}

    @dialog_action(
        form_class=PersonReasonForm,
        permission="close_account",
        description=gettext_lazy("Close account"),
        title=gettext_lazy("Close the account"),
        submit=gettext_lazy("Close account"),
        warning=second_look.what_closing_does,
        icon="person_off",
        is_final=True,
    )
    def close_account(self, request: HttpRequest, form: Form, leaver: User) -> HttpResponse:
        accounts.close(leaver.pk, by=person(request), reason=form.cleaned_data["reason"])
        messages.success(request, _("The account of %(name)s is closed.") % {"name": leaver.get_username()})
        return back_to(request, second_look.url_of(leaver))


def _is_mover(person: User) -> bool:
    known: bool | None = getattr(person, "is_mover", None)
    return second_factor.movers().filter(pk=person.pk).exists() if known is None else known


def _why_no_link(request: HttpRequest, owner: User) -> str:
    if owner == request.user:
        return _("Change your own password in the menu at your name.")
    return _rule(request, owner) if owner.is_active else _("This account is closed.")


def _rule(request: HttpRequest, person: User) -> str:
    """Why this person cannot be changed by the one who looks; empty when they can."""
    if request.user.is_superuser:
        return ""
    if person == request.user:
        return _("This is your own account. You cannot change your own rights.")
    if _is_mover(person):
        return _(
            "This person may do more than look. Only a superuser can change the account or make a password link,"
            " because whoever has the link could act as two people. You can close the account."
        )
    return ""
