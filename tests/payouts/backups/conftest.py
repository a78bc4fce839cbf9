"""A place for backups, and an empty database to put one into."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from payouts.backups import envelope
from payouts.places import Folder
from tests import OWNER_URL


@pytest.fixture
def place(settings: Any, tmp_path: Path) -> Folder:
    secret, public = envelope.new_key()
    settings.BACKUPS, settings.BACKUP_RECIPIENTS = str(tmp_path / "backups"), [public]
    settings.BACKUP_IDENTITY, settings.RESTORE_DATABASE_URL = secret, os.environ[OWNER_URL]
    return Folder(tmp_path / "backups")


@pytest.fixture
def empty() -> Iterator[str]:
    """An empty database's name. Other workers have theirs on the same server."""
    name = f"put_back_{uuid.uuid4().hex}"
    with psycopg.connect(os.environ[OWNER_URL], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield name
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
