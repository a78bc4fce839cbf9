"""Tests here start services of their own: none that the environment names."""

import shutil

import pytest


@pytest.fixture(autouse=True)
def no_services_given(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture
def directory(tmp_path):
    """A folder with a space in its name, which root's PostgreSQL may or may not reach."""
    folder = tmp_path / "a clone" / "var"
    yield folder
    shutil.rmtree((folder / "postgres").resolve(), ignore_errors=True)
