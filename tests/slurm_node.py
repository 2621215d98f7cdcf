"""A real Slurm of one node, this machine, for as long as a test needs it. All of its state is in one folder.

Debian: `apt-get install slurm-wlm munge`.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun", "scancel", "scontrol")
# No accounting and no control groups: they want a database and a systemd. Resources of jobs are counted, not enforced.
# CPUs are more than this machine may have, so that jobs run beside each other.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed.txt
SlurmdParameters=config_overrides
ReturnToService=2
DefMemPerCPU=1000
KillWait=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why a Slurm cannot be started here; empty if it can."""
    absent = [name for name in NEEDED if not shutil.which(name)]
    if absent:
        return f"{', '.join(absent)}: not installed (Debian: slurm-wlm, munge)"
    if not find_spec("snakemake_executor_plugin_slurm"):
        return "Snakemake's plugin for Slurm is not installed: pip install '.[slurm]'"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root"


@dataclass(frozen=True)
class Slurm:
    """A running Slurm."""

    folder: Path
    node: str

    @property
    def environment(self) -> dict[str, str]:
        """What its commands, and Snakemake, find it by."""
        path = f"{self.folder}/bin{os.pathsep}{os.environ['PATH']}"
        return {"SLURM_CONF": f"{self.folder}/slurm.conf", "PATH": path}

    def command(self, *command: str) -> str:
        """Output of one of its commands, which must not fail."""
        environment = os.environ | self.environment
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def jobs(self, *states: str) -> dict[str, str]:
        """Id → comment of the jobs in some states (all that are not over by default)."""
        chosen = [f"--states={','.join(states)}"] if states else []
        lines = self.command("squeue", "--noheader", "--format=%i|%k", *chosen).splitlines()
        return dict(line.split("|", 1) for line in lines)

    def submitted(self) -> dict[str, str]:
        """Id → comment of all jobs that have been submitted so far."""
        return self.jobs("all")

    def states(self) -> dict[str, str]:
        """Id → state of all jobs that have been submitted so far."""
        lines = self.command("squeue", "--noheader", "--states=all", "--format=%i|%T").splitlines()
        return dict(line.split("|", 1) for line in lines)


@contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """Start Slurm with its state in a folder, and stop all that was started."""
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # munged refuses keys and sockets in folders that others may write.
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    ports = [_free_port() for _ in range(2)]
    text = CONFIGURATION.format(host=host, folder=folder, controller_port=ports[0], node_port=ports[1])
    (folder / "slurm.conf").write_text(text)
    # Snakemake's plugin calls srun without SLURM_CONF; on a cluster it finds /etc/slurm/slurm.conf.
    srun = folder / "bin/srun"
    srun.parent.mkdir()
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    configuration = ["-D", "-f", f"{folder}/slurm.conf"]
    with ExitStack() as stack:
        stack.enter_context(_daemon(folder, "munged", "-F", "--force", f"--socket={folder}/munge.socket", *munge))
        _await(lambda: (folder / "munge.socket").exists(), folder)
        stack.enter_context(_daemon(folder, "slurmctld", "-c", *configuration))
        stack.enter_context(_daemon(folder, "slurmd", "-c", "-N", host, *configuration))
        running = Slurm(folder, host)
        _await(lambda: "idle" in _try(running, "sinfo", "--noheader", "--format=%T"), folder)
        try:
            yield running
        finally:
            _try(running, "scancel", "--signal=KILL", "--full", "--state=RUNNING", "--me")
            _try(running, "scancel", "--me")
            _await(lambda: not _try(running, "squeue", "--noheader").strip(), folder)
            _end_processes_of(folder)


@contextmanager
def _daemon(folder: Path, name: str, *arguments: str) -> Iterator[None]:
    """A daemon in the foreground of its own session, ended with the body."""
    with (folder / f"{name}.out").open("w") as output:
        process = subprocess.Popen(
            [name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ | {"SLURM_CONF": f"{folder}/slurm.conf"},
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_processes_of(folder: Path) -> None:
    """End what jobs left behind, as on a node that Slurm gave up: whatever has this Slurm on its PATH."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{folder}/bin{os.pathsep}".encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue  # ended meanwhile


def _try(running: Slurm, *command: str) -> str:
    """Output of a command that may fail while Slurm starts or stops."""
    try:
        return running.command(*command)
    except AssertionError:
        return ""


def _await(condition, folder: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        logs = {path.name: path.read_text()[-1500:] for path in (*folder.glob("*.log"), *folder.glob("*.out"))}
        assert time.monotonic() < deadline, f"Slurm is not ready: {logs}"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
