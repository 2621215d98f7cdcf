"""Progress lines of a command: to stderr, and to the log of the job if there is one. Results go to stdout."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from olmix.errors import InputError

_log: TextIO | None = None


def open_log(path: Path) -> None:
    """Write progress to a file too. Raises InputError for one that cannot be written."""
    global _log
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _log = path.open("w", encoding="utf-8")
    except OSError as error:
        raise InputError(f"--log {path}: cannot be written: {error.strerror}; allowed: a file") from None


def say(line: str) -> None:
    """A line of progress, or of an error."""
    for stream in (sys.stderr, _log):
        if stream:
            print(line, file=stream, flush=True)


def log_traceback() -> None:
    """Keep the traceback of the error at hand in the log."""
    if _log:
        traceback.print_exc(file=_log)
        _log.flush()


@contextmanager
def log_of(run: str) -> Iterator[None]:
    """Send progress to the log of one of several runs that a job makes."""
    global _log
    own = _log
    if not own or Path(own.name).stem == run:
        yield
        return
    with Path(own.name).with_stem(run).open("w", encoding="utf-8") as _log:
        try:
            yield
        finally:
            _log = own


def say_of(run: str) -> Callable[[str], None]:
    """Progress of one of several runs that print at the same time."""
    return lambda line: say(f"{run}  {line}")
