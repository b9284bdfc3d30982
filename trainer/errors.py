"""The error that a user can act on. Anything else that reaches the command line is a bug."""

from __future__ import annotations


class TrainerError(Exception):
    """One line, "what: why; way out". The command line prints it after ``trainer:`` and exits with `exit_code`."""

    exit_code = 1


class DamagedError(TrainerError):
    """What lies in the run's folder is damaged; whoever started the trainer may start it anew."""

    exit_code = 3
