"""What the database is, recovery mode, and the payments that only the provider knows.

- `installation_namespace_is_fixed`: in another one all keys differ, and everything could be paid again.
- `…_never_deleted`: what began or ended recovery mode, and what the provider paid without us, stays known.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly

FUNCTIONS = """
CREATE FUNCTION payouts_refuse_other_namespace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.namespace <> OLD.namespace THEN
        RAISE EXCEPTION 'an installation keeps its namespace: refused by %', TG_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER installation_namespace_is_fixed BEFORE UPDATE ON payouts_installation
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_other_namespace();
CREATE TRIGGER installation_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_installation
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
CREATE TRIGGER recovery_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_recovery
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
CREATE TRIGGER unknown_payment_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_unknownpayment
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();

INSERT INTO payouts_installation (id, namespace, name) VALUES (1, gen_random_uuid(), '');
"""

# The tables go with the models.
BACK = """
DROP TRIGGER unknown_payment_never_deleted ON payouts_unknownpayment;
DROP TRIGGER recovery_never_deleted ON payouts_recovery;
DROP TRIGGER installation_never_deleted ON payouts_installation;
DROP TRIGGER installation_namespace_is_fixed ON payouts_installation;
DROP FUNCTION payouts_refuse_other_namespace();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0006_resolution_rounds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="Installation",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("namespace", models.UUIDField(editable=False, unique=True)),
                ("name", models.CharField(blank=True, max_length=64, verbose_name="installation")),
                ("system_identifier", models.BigIntegerField(null=True)),
                ("timeline", models.BigIntegerField(null=True)),
                ("database_oid", models.BigIntegerField(null=True)),
                ("table_oid", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "installation",
                "verbose_name_plural": "installations",
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="installation_is_one"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("database_oid", None),
                                ("name", ""),
                                ("system_identifier", None),
                                ("table_oid", None),
                                ("timeline", None),
                            ),
                            models.Q(
                                models.Q(("name", ""), _negated=True),
                                ("database_oid__isnull", False),
                                ("system_identifier__isnull", False),
                                ("table_oid__isnull", False),
                                ("timeline__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="installation_known_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Recovery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("changed", "the database is another one"),
                            ("by_hand", "begun by hand"),
                            ("adopted", "the installation was renamed"),
                        ],
                        max_length=16,
                        verbose_name="cause",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        help_text="What differs, or what somebody said.", max_length=1000, verbose_name="reason"
                    ),
                ),
                (
                    "began_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="began at"
                    ),
                ),
                ("begun_by", models.CharField(max_length=200, verbose_name="begun by")),
                ("proposed_at", models.DateTimeField(null=True, verbose_name="end proposed at")),
                ("evidence", models.CharField(blank=True, max_length=1000, verbose_name="evidence")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                ("end_reason", models.CharField(blank=True, max_length=1000, verbose_name="reason to end")),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="ended by",
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="end proposed by",
                    ),
                ),
            ],
            options={
                "verbose_name": "recovery",
                "verbose_name_plural": "recoveries",
                "ordering": ["-id"],
                "permissions": [("end_recovery", "Can begin and end recovery mode")],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(condition=models.Q(("ended_at", None)), fields=["id"], name="recovery_open")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="recovery_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("evidence", ""), ("proposed_at", None), ("proposed_by", None)),
                            models.Q(
                                ("proposed_at__isnull", False),
                                ("proposed_by__isnull", False),
                                models.Q(("evidence", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="recovery_proposed_on_evidence",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("end_reason", ""), ("ended_at", None), ("ended_by", None)),
                            models.Q(
                                ("ended_at__isnull", False),
                                ("ended_by__isnull", False),
                                ("proposed_by__isnull", False),
                                models.Q(("end_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="recovery_ended_after_proposal",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_by", None),
                            models.Q(("ended_by", models.F("proposed_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="recovery_takes_two_people",
                        violation_error_message="You proposed to end it, so another person must confirm.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UnknownPayment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(default="http", max_length=32, verbose_name="provider")),
                ("reference", models.UUIDField(verbose_name="idempotency key")),
                ("provider_id", models.CharField(blank=True, max_length=128, verbose_name="provider's ID")),
                ("amount", models.DecimalField(null=True, verbose_name="amount")),
                ("currency", models.CharField(blank=True, max_length=3, verbose_name="currency")),
                ("reported", models.CharField(max_length=16, verbose_name="reported status")),
                (
                    "source",
                    models.CharField(
                        choices=[("webhook", "webhook"), ("report", "provider report"), ("look_up", "look-up")],
                        max_length=16,
                        verbose_name="heard from",
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=300, verbose_name="details")),
                (
                    "heard_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="heard at"
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed at")),
                ("close_reason", models.CharField(blank=True, max_length=1000, verbose_name="reason to close")),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="closed by",
                    ),
                ),
                (
                    "payout",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
            ],
            options={
                "verbose_name": "unknown payment",
                "verbose_name_plural": "unknown payments",
                "ordering": ["-id"],
                "permissions": [("close_unknownpayment", "Can close unknown payments")],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(condition=models.Q(("closed_at", None)), fields=["-id"], name="unknown_payment_open")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "reference"), name="unknown_payment_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("close_reason", ""), ("closed_at", None), ("closed_by", None)),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("closed_by__isnull", False),
                                models.Q(("close_reason", ""), _negated=True),
                            ),
                            models.Q(
                                ("close_reason", ""),
                                ("closed_at__isnull", False),
                                ("closed_by", None),
                                ("payout__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="unknown_payment_closed_by",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FUNCTIONS, BACK),
    ]
