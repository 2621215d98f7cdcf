"""What a job asks of the operating system."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from olmix.errors import WorkError

_PR_SET_PDEATHSIG = 1
_SNAKEMAKE = "OLMIX_SNAKEMAKE"

LOCK = Path(".snakemake/olmix.lock")
"""Held by whoever is at work in a project."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, so that a killed command leaves no orphan (Linux)."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os.kill(os.getpid(), signal.SIGKILL)


def die_with_snakemake() -> None:
    """End a job with the Snakemake that started it, which may have been killed while the job was starting."""
    die_with_parent()
    starter = os.environ.get(_SNAKEMAKE)
    if sys.platform == "linux" and starter and not Path(f"/proc/{starter}").exists():
        sys.exit(f"olmix: Snakemake (process {starter}), which started this job, has ended")


def die_with_dvc() -> None:
    """Where DVC started this command (by `exec`), end with it: left at work, it would keep the next `dvc repro` out."""
    if sys.platform == "linux" and "DVC_STAGE" in os.environ:
        del os.environ["DVC_STAGE"]  # no concern of jobs on other machines
        die_with_parent()
        # DVC starts its commands in its own session; the process that takes over an orphan is in another.
        if os.getsid(os.getppid()) != os.getsid(0):
            sys.exit("olmix: DVC, which started this command, has ended")


def stop_without_deadlock() -> None:
    """Let Snakemake's handler of SIGTERM run in a thread.

    It takes the lock of the scheduler, which the main thread that it interrupts may hold: both would wait for ever.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if callable(handler):
        signal.signal(signal.SIGTERM, lambda *came: threading.Thread(target=handler, args=came, daemon=True).start())


def keep_freed_memory() -> None:
    """Keep freed buffers for the next step instead of handing them back to the kernel: a fifth of a step (glibc)."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)


@contextmanager
def stop_requests() -> Iterator[Callable[[], int]]:
    """Keep SIGTERM and SIGINT from ending the process in the middle of something.

    The body gets a function that gives the number of the signal that came, 0 before one has; it is up to the body to
    stop. In a thread that gets no signals, nothing is kept.
    """
    came = 0

    def note(number: int, _: object) -> None:
        nonlocal came
        came = number

    kept = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, note) for number in kept}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def prepare_jobs() -> None:
    """Let jobs find the commands of this very environment, activated or not, and know whose they are."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ[_SNAKEMAKE] = str(os.getpid())


def run_snakemake(arguments: Sequence[str], folder: Path = Path(), output: IO[str] | None = None) -> int:
    """Run Snakemake once more, with other arguments or in another folder; returns its exit code.

    output: file that gets all it prints; without one, it prints where this process does.
    """
    command = [sys.executable, "-m", "snakemake", *arguments]
    into: dict[str, Any] = {"stdout": output, "stderr": output}
    return subprocess.run(command, cwd=folder, check=False, preexec_fn=die_with_parent, **into).returncode


def hold_lock(path: Path) -> IO[str]:
    """Lock a project for this process; the kernel gives the lock back however the process ends.

    Keep the returned file open. Raises WorkError if another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        raise WorkError(
            f"process {handle.read().strip()} is already at work in this folder; wait for it or stop it"
        ) from None
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle
