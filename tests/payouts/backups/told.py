"""What the commands say."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def refused(command: str, *arguments: str) -> tuple[int, str]:
    """The exit code, and the sentence."""
    with pytest.raises(CommandError) as error:
        call_command(command, *arguments, stdout=StringIO(), stderr=StringIO())
    return error.value.returncode, str(error.value)
