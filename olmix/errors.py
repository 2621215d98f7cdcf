"""The two ways a command can fail; `olmix.cli` turns them into exit codes, never into a traceback."""


class _OneLine(Exception):
    """Says what it has to say in one line, whatever the names in it hold."""

    def __str__(self) -> str:
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in super().__str__())


class InputError(_OneLine):
    """Bad input: exit code 2. One line that names the file, field or row, what was found and what is allowed."""


class WorkError(_OneLine):
    """The work itself failed: exit code 1. Says which artefact, where its log is and the command to go on."""


class RunError(WorkError):
    """A proxy run failed of itself: its loss diverged, or its command did not do what it promised."""
