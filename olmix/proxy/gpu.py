"""Which GPU a process computes on: runs share a GPU as long as they fit, and spread evenly over all GPUs.

A process claims memory on one GPU by a file in the temporary folder of its user. It keeps the file locked, so that the
claim ends with the process however that ends. Nothing of torch is imported: a command of the user's may not need it.
"""

import ctypes
import fcntl
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_UNLIMITED = 10**9
"""MB of a GPU whose memory is not known."""
_SECONDS = 0.5


@contextmanager
def use_gpu(needed: int, progress: Callable[[str], None]) -> Iterator[None]:
    """Claim memory on a GPU while the body runs; from then on this process and its children see no other GPU.

    needed: MB to wait for; 0 leaves the GPUs as they are. To be called before CUDA is used: it looks only once.
    """
    gpus = visible_gpus(os.environ.get(_VISIBLE), _installed_gpus()) if needed else {}
    if not gpus:
        yield
        return
    with claim_gpu(gpus, needed, Path(gettempdir()) / f"olmix-gpus-{os.getuid()}", progress) as gpu:
        os.environ[_VISIBLE] = gpu
        yield


def visible_gpus(variable: str | None, installed: Mapping[str, int]) -> dict[str, int]:
    """Name → MB of the GPUs that CUDA would use.

    variable: CUDA_VISIBLE_DEVICES; installed: MB by UUID. Numbers may follow another order than the driver's, so a GPU
    known by its number counts as the smallest one.
    """
    if variable is None:
        return dict(installed)
    gpus = {}
    for name in map(str.strip, variable.split(",")):
        if not name.isdigit() and not name.startswith(("GPU-", "MIG-")):
            break  # CUDA ignores what follows
        gpus[name] = installed.get(name, min(installed.values(), default=_UNLIMITED))
    return gpus


@contextmanager
def claim_gpu(gpus: Mapping[str, int], needed: int, folder: Path, progress: Callable[[str], None]) -> Iterator[str]:
    """Claim MB on the one of several GPUs, name → MB, that has most left; waits until they fit.

    What is larger than every GPU gets the largest to itself. folder: where the claims of all processes are.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    enough = min(needed, max(gpus.values()))
    path, waits = folder / f"{uuid4().hex}.claim", False
    while True:
        with (folder / "lock").open("a") as lock:  # one process at a time looks and claims
            fcntl.flock(lock, fcntl.LOCK_EX)
            left = Counter(gpus)
            left.subtract(_claimed(folder))
            gpu = max(gpus, key=lambda name: left[name])
            if left[gpu] >= enough:
                claim = path.open("x")
                fcntl.flock(claim, fcntl.LOCK_EX)
                claim.write(f"{gpu} {needed}")
                claim.flush()
                break
        if not waits:
            progress(f"waits for {needed:,} MB on a GPU")
            waits = True
        time.sleep(_SECONDS)
    with claim:
        try:
            yield gpu
        finally:
            path.unlink(missing_ok=True)


def _claimed(folder: Path) -> Counter[str]:
    """MB by GPU that processes claim; removes the claims of those that have ended."""
    claimed = Counter[str]()
    for path in folder.glob("*.claim"):
        try:
            claim = path.open()
        except FileNotFoundError:  # given back just now
            continue
        with claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                gpu, size = claim.read().split()
                claimed[gpu] += int(size)
            else:
                path.unlink(missing_ok=True)
    return claimed


def _installed_gpus() -> dict[str, int]:
    """UUID → MB of the GPUs that Nvidia's driver lets this process use (NVML)."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return {}
    found: dict[str, int] = {}
    count = ctypes.c_uint()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return found
    for index in range(count.value):
        device, uuid = ctypes.c_void_p(), ctypes.create_string_buffer(96)
        memory = (ctypes.c_ulonglong * 3)()  # total, free, used: bytes
        if (
            nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == 0
            and nvml.nvmlDeviceGetUUID(device, uuid, len(uuid)) == 0
            and nvml.nvmlDeviceGetMemoryInfo(device, memory) == 0
        ):
            found[uuid.value.decode()] = memory[0] // 10**6
    nvml.nvmlShutdown()
    return found
