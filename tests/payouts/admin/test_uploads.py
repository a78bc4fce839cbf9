"""Files are taken where one is expected, from somebody who may upload it, and never to the disk."""

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from payouts.files import limits
from payouts.files.upload_handler import BoundedUpload
from payouts.models import Batch, ProviderReport
from tests import recipes
from tests.payouts.admin.batches.acts import ADD, post_file
from tests.payouts.admin.conftest import as_user

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
# Larger than what Django itself would keep in memory.
LARGE = b"user_id;amount\n" + b"1;1.00\n" * 500_000


@pytest.fixture(autouse=True)
def _no_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("a temporary file was opened")

    for name in ("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)


def a_file(content: bytes = b"x", name: str = "file.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_every_page_that_takes_a_file_is_in_the_table() -> None:
    fields = [
        path
        for path in Path("payouts/admin").rglob("*.py")
        if re.search(r"= file_field\(|FileField\(\n", path.read_text())
    ]

    assert {reverse("admin:payouts_batch_add"), reverse("admin:payouts_providerreport_add")} == set(
        limits.UPLOAD_PAGES
    )
    assert len(set(fields) - {Path("payouts/admin/kit/fields.py")}) == len(limits.UPLOAD_PAGES)


def test_the_login_takes_no_file() -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32  # anybody can make one up

    answers = [
        browser.post(page, {"file": content}) for page in (LOGIN, ADD) for content in (a_file(), a_file(LARGE))
    ]

    assert [answer.status_code for answer in answers] == [400] * 4


def test_a_file_is_taken_from_nobody_who_may_not_upload_it(as_group: Any) -> None:
    assert post_file(as_group("Auditor"), LARGE).status_code == 403
    assert not Batch.objects.exists()


def test_a_batch_and_a_report_are_read_in_memory_alone(as_group: Any) -> None:
    answer = post_file(as_group("Operator"), recipes.batch_csv() + b"\n" * 3_000_000)

    assert answer.status_code == 302
    assert Batch.objects.count() == 1
    assert not ProviderReport.objects.exists()


def test_a_file_under_another_name_and_a_second_file_are_refused(as_group: Any) -> None:
    browser = as_group("Operator")

    answers = [browser.post(ADD, {"photo": a_file()}), browser.post(ADD, {"file": [a_file(), a_file()]})]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert not Batch.objects.exists()


def test_a_file_that_is_too_large_is_refused_in_words_and_a_form_that_is_larger_still_unread(as_group: Any) -> None:
    browser = as_group("Operator")

    too_large = post_file(browser, b"x" * (limits.FILE_BYTES + 10))
    larger_still = post_file(browser, b"x" * (limits.FILE_BYTES + limits.FORM_BYTES + 10))

    assert "The file is larger than 20 MB" in too_large.content.decode()
    assert larger_still.status_code == 400


def test_a_form_of_very_many_parts_is_refused_before_they_are_parsed(as_group: Any) -> None:
    body = b"--cut\r\n\r\n\r\n" * 200_000 + b"--cut--\r\n"

    answer = as_group("Operator").post(ADD, body, content_type="multipart/form-data; boundary=cut")

    assert answer.status_code == 400


def test_a_person_whose_login_was_closed_uploads_nothing() -> None:
    person = recipes.superuser.make()
    browser = as_user(person)
    type(person).objects.filter(pk=person.pk).update(is_active=False)

    assert post_file(browser, LARGE).status_code in (400, 302)
    assert not Batch.objects.exists()


def test_the_handler_parses_the_parts_itself() -> None:
    with pytest.raises(NotImplementedError):
        BoundedUpload().receive_data_chunk(b"", 0)
