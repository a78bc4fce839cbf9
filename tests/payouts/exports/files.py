"""Exports as a test makes them, and what stands in their files."""

import csv
import io
from typing import Any

from django.contrib.auth.models import Group, User
from openpyxl import load_workbook

from payouts.exports.request import content
from payouts.models import Export
from payouts.staff import groups
from tests import recipes


def member(group: str) -> User:
    groups.make_groups()
    user: User = recipes.person.make()
    user.groups.add(Group.objects.get(name=group))
    return user


def written(by: User, query: str = "", format: str = "csv") -> Export:
    export = recipes.asked_export(query, format=format, by=by)
    assert recipes.write_exports()
    return Export.objects.get(pk=export.pk)


def file(export: Export) -> bytes:
    return b"".join(content(export))


def from_csv(export: Export) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file(export).decode("utf-8-sig"), newline="")))


def from_xlsx(export: Export) -> list[dict[str, Any]]:
    sheet = load_workbook(io.BytesIO(file(export)))["payouts"]
    header, *rows = list(sheet.iter_rows())
    return [dict(zip([cell.value for cell in header], row, strict=True)) for row in rows]
