"""The upload of a batch, and what a file that is not taken leads to."""

from typing import Any

import pytest

from payouts.batches import check, upload
from payouts.models import Batch
from tests import recipes
from tests.payouts.admin.batches.acts import ADD, address, page, post_file
from tests.recipes import checked_batch

pytestmark = pytest.mark.django_db


def test_the_same_file_is_refused_with_the_way_to_the_first(as_group: Any) -> None:
    batch = checked_batch()

    text = post_file(as_group("Operator"), recipes.batch_csv()).content.decode()

    assert "This file is a batch already" in text
    assert address(batch) in text
    assert Batch.objects.count() == 1


def test_a_file_that_cannot_be_read_says_why_and_leads_to_the_next_upload(as_group: Any) -> None:
    batch = upload.store(b"user_id;amount\n1;2\n", name="x.csv", by=recipes.person.make())
    check.run(batch.pk)

    text = page(as_group("Operator"), batch)

    assert "The header has no column “kind”." in text
    assert ADD in text
