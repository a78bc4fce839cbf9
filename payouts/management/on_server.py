"""Who gives a command on the server, where it stands for a second person."""

import getpass


def who() -> str:
    """As the log, the access log and a proposal name them: shell:anna."""
    return f"shell:{getpass.getuser()}"
