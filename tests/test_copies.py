"""A copy of a database gives nobody more than the one that was copied."""

import os
import re
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from backoffice.local import ROOT
from payouts.database.rights import APP
from tests import OWNER_URL
from tests.campaign.restore import Backup


@pytest.fixture
def name() -> Iterator[str]:
    """A database in which nobody but its owner may make temporary tables, as migrating leaves it."""
    name = f"copied_{uuid.uuid4().hex}"
    with psycopg.connect(os.environ[OWNER_URL], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        server.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
        yield name
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_what_the_campaign_puts_back_has_the_rights_of_before(name: str) -> None:
    url = urlsplit(os.environ[OWNER_URL])._replace(path=f"/{name}").geturl()
    backup = Backup(url)

    backup.take()
    backup.put_back()

    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT has_database_privilege(%s, %s, 'TEMPORARY')", [APP, name]).fetchone()
    assert found == (False,)


def test_databases_are_copied_in_one_place() -> None:
    copies = re.compile(r"CREATE DATABASE [\w{}.]+ TEMPLATE")

    found = [path.name for path in (ROOT / "tests").rglob("*.py") if copies.search(path.read_text())]

    assert found == ["copies.py"]
