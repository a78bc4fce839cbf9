"""What one person proposes and another confirms: changes of what decides over money."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0019_batch_stopped_enforced"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject", models.CharField(max_length=32, verbose_name="subject")),
                ("object_id", models.CharField(blank=True, max_length=64)),
                (
                    "act",
                    models.CharField(
                        choices=[("add", "add"), ("change", "change"), ("delete", "delete")],
                        max_length=8,
                        verbose_name="act",
                    ),
                ),
                (
                    "title",
                    models.CharField(
                        help_text="What it is about, as it was called then.", max_length=300, verbose_name="what"
                    ),
                ),
                ("before", models.JSONField(default=dict)),
                ("after", models.JSONField(default=dict)),
                ("reason", models.CharField(max_length=1000, verbose_name="reason")),
                (
                    "proposed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="proposed at"
                    ),
                ),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                (
                    "decision",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("confirmed", "confirmed"),
                            ("declined", "declined"),
                            ("withdrawn", "withdrawn"),
                            ("expired", "expired"),
                        ],
                        max_length=16,
                        verbose_name="decision",
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided at")),
                (
                    "decision_reason",
                    models.CharField(blank=True, max_length=1000, verbose_name="reason for the decision"),
                ),
                (
                    "on_server",
                    models.CharField(
                        blank=True,
                        help_text="Who gave the command that stood for the second person.",
                        max_length=200,
                        verbose_name="on the server",
                    ),
                ),
                ("applied_at", models.DateTimeField(null=True, verbose_name="in force since")),
                ("result_id", models.CharField(blank=True, max_length=64)),
                ("facts_seal", models.BinaryField(max_length=36)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="proposed by",
                    ),
                ),
            ],
            options={
                "verbose_name": "proposal",
                "verbose_name_plural": "proposals",
                "ordering": ["-id"],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(condition=models.Q(("decision", "")), fields=["expires_at"], name="proposal_open")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("decision", ""), models.Q(("object_id", ""), _negated=True)),
                        fields=("subject", "object_id"),
                        name="proposal_one_open",
                        violation_error_message="A change of this is proposed already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by", None),
                            models.Q(("decision", "withdrawn"), ("decided_by", models.F("proposed_by"))),
                            models.Q(
                                models.Q(("decision", "withdrawn"), _negated=True),
                                models.Q(("decided_by", models.F("proposed_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="proposal_takes_two_people",
                        violation_error_message="You proposed it, so another person must confirm it.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("applied_at", None),
                                ("decided_at", None),
                                ("decided_by", None),
                                ("decision", ""),
                                ("on_server", ""),
                            ),
                            models.Q(
                                ("applied_at", None),
                                ("decided_at__isnull", False),
                                ("decided_by", None),
                                ("decision", "expired"),
                                ("on_server", ""),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decision__in", ["confirmed", "declined", "withdrawn"]),
                                models.Q(
                                    models.Q(("decided_by__isnull", False), ("on_server", "")),
                                    models.Q(("decided_by", None), models.Q(("on_server", ""), _negated=True)),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="proposal_decided_by",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("applied_at", None), ("decision", "confirmed"), _connector="OR"),
                        name="proposal_applied_when_confirmed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="proposal_has_reason"
                    ),
                ],
            },
        ),
    ]
