"""What a liveness probe hears of a cluster, and what it costs."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from payouts.worker import alive
from tests.payouts.providers.programs import ROOT

TEN_MINUTES = 600


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "alive"
    monkeypatch.setenv(alive.SETTING, str(path))
    return path


def check(*options: str, cwd: Path = ROOT, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *options, "manage.py", "cluster", "--check"],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_cluster_that_was_touched_lately_is_alive(file):
    alive.SignOfLife(str(file), lasts_seconds=TEN_MINUTES).show()

    assert alive.why_not() == ""
    assert file.stat().st_mode & 0o777 == 0o600
    call_command("cluster", "--check")


@pytest.mark.parametrize(
    "moved", [-2 * TEN_MINUTES, 2 * TEN_MINUTES], ids=["long ago", "by a clock that was set back"]
)
def test_one_whose_touch_counts_no_more_is_not(file, moved):
    alive.SignOfLife(str(file), lasts_seconds=TEN_MINUTES).show()
    then = time.time() + moved
    os.utime(file, (then, then))

    assert "No cluster is alive here: the last sign of life in" in alive.why_not()
    with pytest.raises(CommandError, match="No cluster is alive here"):
        call_command("cluster", "--check")


def test_another_touch_makes_it_alive_again(file):
    life = alive.SignOfLife(str(file), lasts_seconds=TEN_MINUTES)
    life.show()
    os.utime(file, (0, 0))
    assert alive.why_not()

    life.show()

    assert alive.why_not() == ""


def test_one_that_has_ended_is_not(file):
    life = alive.SignOfLife(str(file), lasts_seconds=TEN_MINUTES)
    life.show()

    life.end()
    life.end()

    assert alive.why_not() == f"No cluster is alive here: {file} cannot be read (FileNotFoundError)."


@pytest.mark.parametrize("content", ["", "soon\n", "nan\n"])
def test_a_file_that_is_not_ours_says_nothing_of_a_cluster(file, content):
    file.write_text(content)

    assert alive.why_not()


@pytest.mark.parametrize("make", [lambda path, other: path.symlink_to(other), lambda path, _other: os.mkfifo(path)])
def test_neither_side_follows_a_link_or_waits_at_a_pipe(file, tmp_path, make):
    other = tmp_path / "other"
    other.write_text("as it was")
    make(file, other)

    with pytest.raises(OSError):
        alive.SignOfLife(str(file), lasts_seconds=TEN_MINUTES).show()

    assert alive.why_not()
    assert other.read_text() == "as it was"


NEEDED = (
    *("manage.py", "backoffice/__init__.py", "backoffice/env_files.py"),
    *("payouts/__init__.py", "payouts/worker/__init__.py", "payouts/worker/alive.py"),
)


def test_the_probe_looks_where_env_files_tell_the_cluster_to_touch(file, tmp_path):
    """And needs no other file of the product."""
    for name in NEEDED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    alive.SignOfLife(str(file), lasts_seconds=TEN_MINUTES).show()
    (tmp_path / ".env").write_text(f"{alive.SETTING}={file}\n")

    assert check(cwd=tmp_path).returncode == 0
    assert check(cwd=tmp_path, **{alive.SETTING: f"{file}-of-nobody"}).returncode == 1


def test_the_probe_loads_no_django_and_needs_no_setting(file):
    """So it is quick, and has no secret."""
    alive.SignOfLife(str(file), lasts_seconds=TEN_MINUTES).show()

    living = check("-X", "importtime", **{alive.SETTING: str(file)})
    gone = check(**{alive.SETTING: f"{file}-of-nobody"})

    assert living.returncode == 0
    assert "payouts.worker.alive" in living.stderr
    assert not [line for line in living.stderr.splitlines() if "django" in line or "environ" in line.split("|")[-1]]
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr.startswith("No cluster is alive here")
