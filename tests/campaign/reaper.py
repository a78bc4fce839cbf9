"""Ends whatever a campaign left behind when it is gone, however it went: SIGKILL of the campaign itself too.

    python -m tests.campaign.reaper RUN FOLDER

Waits for the end of its standard input, which the campaign holds open while it lives.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.campaign import marks


def main(run: str, folder: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    for _ in range(50):
        left = [pid for pid in marks.pids(marks.RUN, run) if pid != os.getpid()]
        if not left:
            break
        marks.signal_all(left, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree((folder / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
