"""Memory of a GPU as a resource: Snakemake starts as many runs as fit, and each is told which GPU is its own."""

import json
import shlex
import sys
from types import SimpleNamespace

import pytest

from olmix.params import Params
from olmix.plan.runs import gpu_memory_to_score, gpu_memory_to_train
from olmix.project import Project
from olmix.schema import parse
from olmix.workflow import Workflow
from tests.graph.test_rounds import LAW
from tests.miniature import ROOT, build, change_params, forget, snakemake

# Waits for another run to be at work beside it, and leaves a note of the GPUs of both if there is one.
TRAINER = """
import json, os, runpy, sys, time
from pathlib import Path
running, together = Path("running"), Path("together.json")
running.mkdir(exist_ok=True)
own = running / str(os.getpid())
own.write_text(os.environ["CUDA_VISIBLE_DEVICES"])
deadline = time.monotonic() + float(Path("seconds.txt").read_text())
while time.monotonic() < deadline and not together.exists():
    if len(found := list(running.iterdir())) > 1:
        time.sleep(0.2)
        together.write_text(json.dumps([path.read_text() for path in found]))
    time.sleep(0.05)
time.sleep(1 if together.exists() else 0)
own.unlink()
sys.argv = ["known_law.py", sys.argv[1], sys.argv[2]]
runpy.run_path(%r, run_name="__main__")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project whose swarm has been trained once, on two visible GPUs and with no limit of their memory."""
    folder = build(tmp_path_factory.mktemp("sharing"))
    (folder / "law.json").write_text(json.dumps(LAW))
    (folder / "trainer.py").write_text(TRAINER % str(ROOT / "tests/known_law.py"))
    (folder / "seconds.txt").write_text("30")
    command = shlex.join([sys.executable, "trainer.py", "law.json"])
    change_params(folder, proxy={"command": command, "command_writes": "scores"})
    (folder / "temporary").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        patch.setenv("TMPDIR", str(folder / "temporary"))
        yield folder, snakemake(folder, "swarm")


def test_without_a_limit_runs_work_at_once_each_on_a_gpu_of_its_own(made):
    folder, done = made
    assert done.returncode == 0, done.stderr[-5000:]
    assert sorted(json.loads((folder / "together.json").read_text())) == ["0", "1"]


def test_no_more_runs_are_started_than_fit(made):
    folder, _ = made
    (folder / "together.json").unlink()
    (folder / "seconds.txt").write_text("1")
    forget(folder, "proxy", "evaluation")
    needed = Workflow.load(folder).gpu_memory(SimpleNamespace(key=Project.load(folder).plan().swarm[0].key))
    done = snakemake(folder, "--resources", f"gpu_mb={2 * needed - 1}", "--", "swarm")
    assert done.returncode == 0, done.stderr[-5000:]
    assert all((folder / f"store/proxy/{run.key}/manifest.json").exists() for run in Project.load(folder).plan().runs)
    assert not (folder / "together.json").exists()


def params(**proxy):
    document = {"tokenizer": {"digest": "d"}, "target": {"tokens": "1B"}, "proxy": {"tokens": "1B"} | proxy}
    return parse(document, Params, "params.yaml")


def test_memory_grows_with_the_model_and_the_batch():
    models = [params(model=name, batch_size=64, sequence_length=2048) for name in ("tiny", "30M", "60M")]
    for memory in (gpu_memory_to_train, gpu_memory_to_score):
        sizes = [memory(each, 100_352) for each in models]
        assert sizes == sorted(set(sizes))
        assert sizes[0] > 500, "a CUDA context"
    batches = [params(model="30M", batch_size=size, sequence_length=2048) for size in (64, 128)]
    small, large = (gpu_memory_to_train(each, 100_352) for each in batches)
    assert small < large


def test_a_training_job_has_room_for_the_scoring_that_follows():
    few = params(model="tiny", batch_size=1, sequence_length=64)
    assert gpu_memory_to_train(few, 2048) == gpu_memory_to_score(few, 2048) < 4000


def test_scores_of_a_command_need_no_gpu():
    assert gpu_memory_to_score(params(model="30M", command="a trainer", command_writes="scores"), 2048) == 0
    assert gpu_memory_to_score(params(model="30M", command="a trainer"), 2048) > 0
