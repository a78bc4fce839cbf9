"""One row of every kind, so that every screen has something to show."""

from django.contrib.auth.models import User
from django.utils import timezone
from django_q.models import OrmQ, Task

from payouts import actions, clients, groups, reports, schedules
from payouts.models import Heartbeat
from tests import recipes


def everything() -> User:
    """Make them, and the person who may open every screen."""
    groups.make_groups()
    schedules.register()
    admin: User = recipes.superuser.make(username="admin", first_name="Alice", last_name="Admin")
    made = {name: make() for name, make in recipes.PAYOUTS.items()}
    client, _key = clients.create_client("shop", scopes=["payouts:read", "payouts:write"])
    for _twice in range(2):
        recipes.pending_payout(client=client)
    actions.flag_missing(made["settled"].pk, by=recipes.person.make(), source="march.csv")
    paid = made["processed"].attempts.get()
    text = f"reference,status,amount\n{paid.reference},succeeded,1.00\nr-1,succeeded,1\n"
    reports.store(text.encode(), name="march.csv", by=recipes.person.make())
    for report in reports.ProviderReport.objects.all():
        reports.apply(report.pk)
    Heartbeat.objects.create(cluster="one")
    now = timezone.now()
    Task.objects.create(
        id="a" * 32, name="planted", func="payouts.tasks.sweep", started=now, stopped=now, success=False
    )
    OrmQ.objects.create(key="payouts", payload="x", lock=now)
    return admin
