"""Checkpoints in a bucket of S3, with object lock; the bucket is moto's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import boto3
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from moto import mock_aws

from payouts import tasks
from payouts.actions import erasure
from payouts.models import Checkpoint
from payouts.places import Bucket, PlaceError, place_of
from tests.payouts.observe import by_hand, unguarded
from tests.recipes import pending_payout, processed_payout

pytestmark = pytest.mark.django_db

ADDRESS = "s3://anchors/payouts/production"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    settings.CHECKPOINTS = ADDRESS
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="anchors", ObjectLockEnabledForBucket=True)
        yield client


def test_a_checkpoint_is_put_with_a_lock_and_read_back(bucket: Any, settings: Any) -> None:
    settings.CHECKPOINT_RETENTION_DAYS = 30
    pending_payout()

    for _each in range(2):
        tasks.checkpoint()

    names = place_of(ADDRESS).names()
    assert [name[:19] for name in names] == ["checkpoint-00000001", "checkpoint-00000002"]
    kept = bucket.head_object(Bucket="anchors", Key=f"payouts/production/{names[0]}")
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    assert kept["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=29)
    out = StringIO()
    call_command("audit", "--against", ADDRESS, stdout=out)
    assert "Every invariant holds" in out.getvalue()


def test_an_erasure_is_put_with_a_lock_too(bucket: Any, settings: Any) -> None:
    settings.CHECKPOINT_RETENTION_DAYS = 30
    key = processed_payout().recipient_key
    assert key is not None
    erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked for.")

    tasks.checkpoint()

    (name,) = (name for name in place_of(ADDRESS).names() if name.startswith("erased-"))
    assert bucket.head_object(Bucket="anchors", Key=f"payouts/production/{name}")["ObjectLockMode"] == "COMPLIANCE"


def test_without_a_number_of_days_the_buckets_own_rule_holds(bucket: Any) -> None:
    pending_payout()

    tasks.checkpoint()

    head = bucket.head_object(Bucket="anchors", Key=f"payouts/production/{place_of(ADDRESS).names()[0]}")
    assert "ObjectLockMode" not in head


def test_what_the_database_has_lost_is_named_from_the_bucket(bucket: Any) -> None:
    pending_payout()
    tasks.checkpoint()
    with unguarded("payouts_checkpoint"):
        by_hand("DELETE FROM payouts_checkpoint")

    with pytest.raises(CommandError) as error:
        call_command("audit", "--against", ADDRESS, stdout=StringIO())

    assert error.value.returncode == 1


def test_a_bucket_that_is_not_there_is_said_and_tried_again(bucket: Any, settings: Any) -> None:
    settings.CHECKPOINTS = "s3://others"
    pending_payout()

    tasks.checkpoint()

    assert Checkpoint.objects.get().placed_at is None
    for call in (lambda: Bucket("s3://others").names(), lambda: Bucket(ADDRESS).read("nothing")):
        with pytest.raises(PlaceError):
            call()
    with pytest.raises(CommandError) as error:
        call_command("audit", "--against", "s3://others", stdout=StringIO())
    assert error.value.returncode == 2
