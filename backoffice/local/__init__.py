"""The product on one machine, for developers: `make run`, and the services of the tests."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
