"""The two ways a command can fail; `olmix.cli` turns them into exit codes, never into a traceback."""


class InputError(Exception):
    """Bad input: exit code 2. One line that names the file, field or row, what was found and what is allowed."""

    def __str__(self) -> str:
        """One line, whatever the names in it hold."""
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in super().__str__())


class WorkError(Exception):
    """The work itself failed: exit code 1. Says which artefact, where its log is and the command to go on."""


class RunError(WorkError):
    """A proxy run failed of itself: its loss diverged, or its command did not do what it promised."""
