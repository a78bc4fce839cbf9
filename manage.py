#!/usr/bin/env python
import os
import sys


def main() -> None:
    if sys.argv[1:] == ["cluster", "--check"]:
        # A probe of every few seconds: it has no time for Django.
        from backoffice import env_files
        from payouts.worker import alive

        env_files.read()
        sys.exit(alive.why_not() or 0)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
    from django.core.management import execute_from_command_line

    from backoffice import logs
    from backoffice.environment import SettingError

    if sys.argv[1:2] and sys.argv[1] in logs.SERVICES:
        logs.to_stdout()
    try:
        execute_from_command_line(sys.argv)
    except SettingError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
