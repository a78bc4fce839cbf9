"""The clusters: their list, and their signs of life on the operations page."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payouts.models import Heartbeat
from tests.payouts.admin.operations.acts import OPERATIONS

pytestmark = pytest.mark.django_db


def test_clusters_are_listed_with_their_last_sign_of_life(as_group: Any) -> None:
    Heartbeat.objects.create(cluster="alpha")

    text = as_group("Operator").get("/admin/payouts/heartbeat/").content.decode()

    assert "alpha" in text
    assert "Alive" in text


def test_clusters_say_whether_they_live(as_group: Any) -> None:
    Heartbeat.objects.create(cluster="alive")
    Heartbeat.objects.create(cluster="gone", beat_at=timezone.now() - timedelta(hours=1))

    rows = as_group("Operator").get(OPERATIONS).context["clusters"]

    assert [(row["name"], "Alive" in row["badge"]) for row in rows] == [("alive", True), ("gone", False)]
