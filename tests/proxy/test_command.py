"""A trainer of one's own: keys, the specification it gets, what it may leave, and a whole project with it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from olmix.errors import InputError, WorkError
from olmix.evaluation.evaluate import evaluate, stage_evaluation
from olmix.evaluation.spec import evaluation_key
from olmix.params import ModelParams, ProxyParams
from olmix.project import Project
from olmix.proxy.run import run_proxy
from olmix.proxy.spec import Execution, RunSpec
from olmix.regression.table import read_table
from tests.known_law import scores as law_scores
from tests.miniature import build, change_params, run, sentences, snakemake, write_jsonl

ROOT = Path(__file__).parents[2]
A, B, ITEMS = "a" * 20, "b" * 20, "1" * 20
NAMES = {A: "web:news", B: "code"}
MODEL = ModelParams(layers=1, heads=2, width=32, mlp_width=64, tied_embeddings=True)
PROXY = ProxyParams(model=MODEL, tokens=4096, sequence_length=16, batch_size=8, learning_rate=1e-2)
GOOD = {"hard": 1.25, "easy": {"bpb": 0.5}}


def silent(line):
    pass


def spec(suite="s", **changes):
    return RunSpec.of(PROXY.model_copy(update=changes), 64, 0, {A: 3072, B: 1024}, suite)


@pytest.fixture
def inputs(store):
    """Two leaves and a suite of two tasks in the store."""
    for key, array in {A: np.arange(20_000) % 64, B: -np.arange(2000) % 64}.items():
        with store.publish("tokens", key) as draft:
            np.save(draft.path / "tokens.npy", array.astype(np.uint16))
            np.save(draft.path / "documents.npy", np.array([0, len(array)]))
            draft.facts = {"tokens": len(array)}
    with store.publish("items", ITEMS) as draft:
        for task, sizes in {"easy": [3, 4], "hard": [9]}.items():
            lengths = [[2, 5]] * len(sizes)
            tokens = np.arange(7 * len(sizes))
            np.savez(draft.path / f"{task}.npz", tokens=tokens, lengths=np.array(lengths), sizes=np.array(sizes))
        draft.facts = {"end_of_text": 0, "tasks": ["easy", "hard"]}


@pytest.fixture
def trained(store, inputs, tmp_path):
    """Makes a run with a trainer given as Python source, which finds `run` and `output`; returns its specification."""

    def make(source, writes="scores", say=silent, **changes):
        head = (
            "import json, sys\nfrom pathlib import Path\n"
            "run = json.loads(Path(sys.argv[1]).read_text())\noutput = Path(run['output'])\n"
        )
        (tmp_path / "my trainer.py").write_text(head + source)
        command = f"{sys.executable} 'my trainer.py'"
        made = spec(command=command, command_writes=writes, **changes)
        run_proxy(made, NAMES, ITEMS, store, Execution(threads=2), say)
        return made

    return make


def writes(name, value):
    text = value if isinstance(value, str) else json.dumps(value)
    return f"(output / {name!r}).write_text({text!r})\n"


def writes_scores(value):
    return writes("scores.json", value)


def test_the_keys_of_the_built_in_trainer_are_those_of_before():
    assert spec().key == "c31776b2defcd994e640"
    assert spec().key == spec("another suite", command_version=2, command_writes="scores").key


def test_command_version_and_kind_of_output_enter_the_key():
    made = [
        spec(),
        spec(command="a"),
        spec(command="b"),
        spec(command="a", command_version=2),
        spec(command="a", command_writes="scores"),
        spec(command="a", learning_rate=0.5),
    ]
    assert len({one.key for one in made}) == len(made)


def test_the_suite_enters_the_key_of_a_run_that_holds_scores_only():
    assert spec("one", command="a").key == spec("two", command="a").key
    scored = {"command": "a", "command_writes": "scores"}
    assert spec("one", **scored).key != spec("two", **scored).key


def test_a_specification_survives_the_plan():
    for made in (spec(), spec(command="a"), spec(command="a", command_writes="scores")):
        assert RunSpec.model_validate_json(made.model_dump_json()).key == made.key


def test_a_command_is_told_everything_it_needs(trained, store, tmp_path):
    made = trained(
        "import os, shutil\nshutil.copy(sys.argv[1], output / 'copy.json')\n"
        "(output / 'where').write_text(os.getcwd())\n" + writes_scores(GOOD)
    )
    told = store.read_json("proxy", made.key, "copy.json")
    assert (told["key"], told["seed"], told["threads"], told["vocabulary"]) == (made.key, 0, 2, 64)
    assert told["model"] == MODEL.model_dump()
    assert told["training"]["learning_rate"] == 1e-2
    assert (told["sequence_length"], told["writes"]) == (16, "scores")
    assert [leaf["tokens_key"] for leaf in told["leaves"]] == [A, B], "a new name must not change the order"
    leaves = {leaf["name"]: leaf for leaf in told["leaves"]}
    assert {name: (leaf["tokens_key"], leaf["count"], leaf["available"]) for name, leaf in leaves.items()} == {
        "web:news": (A, 3072, 20_000),
        "code": (B, 1024, 2000),
    }
    for leaf in leaves.values():
        assert len(np.load(leaf["tokens"])) == np.load(leaf["documents"])[-1] == leaf["available"]
        assert Path(leaf["tokens"]).is_absolute()
    assert told["tasks"] == ["easy", "hard"]
    assert np.load(Path(told["items"]) / "hard.npz")["sizes"].tolist() == [9]
    assert store.file("proxy", made.key, "where").read_text() == str(tmp_path)
    assert not Path(told["output"]).exists()


def test_a_command_that_writes_a_checkpoint_does_not_see_the_suite(trained, store):
    made = trained(
        "import shutil\nshutil.copy(sys.argv[1], output / 'copy.json')\n"
        "[(output / name).touch() for name in ('config.json', 'model.safetensors')]\n",
        writes="checkpoint",
    )
    told = store.read_json("proxy", made.key, "copy.json")
    assert (told["tasks"], told["items"], told["end_of_text"]) == ([], None, None)


def test_a_damaged_leaf_is_not_handed_out(trained, store):
    (store.path("tokens", B) / "documents.npy").write_bytes(b"damaged")
    with pytest.raises(WorkError, match=r"documents\.npy: differs from its manifest"):
        trained(writes_scores(GOOD))


def test_the_evaluation_takes_the_scores_and_counts_what_they_are_of(trained, store):
    made = trained(writes_scores(GOOD | {"an average": 7}))
    stage_evaluation(made, store.path("proxy", made.key), "s", ITEMS, store, 1, silent)
    key = evaluation_key(made.key, "s")
    assert store.publish_staged("evaluation", key)
    staged = store.read_json("evaluation", key, "scores.json")
    assert staged == {
        "easy": {"bpb": 0.5, "items": 2, "bytes": 7},
        "hard": {"bpb": 1.25, "items": 1, "bytes": 9},
    }
    inputs = store.manifest("evaluation", key)["inputs"]
    assert (inputs["run"], inputs["suite"], inputs["items"]) == (made.key, "s", ITEMS)
    (store.path("evaluation", key) / "manifest.json").unlink()
    evaluate(made, "s", ITEMS, store, 1, silent)
    assert store.read_json("evaluation", key, "scores.json") == staged


def test_the_manifest_holds_inputs_counts_and_what_the_command_tells_of_its_cost(trained, store):
    plain = store.manifest("proxy", trained(writes_scores(GOOD)).key)
    assert plain["inputs"]["trainer"]["writes"] == "scores"
    assert plain["facts"]["tokens_requested"] == plain["facts"]["tokens_achieved"] == {A: 3072, B: 1024}
    assert plain["cost"].pop("seconds") > 0
    assert plain["cost"] == {"tokens": 4096, "device": "command", "precision": "not recorded", "threads": 2}
    told = writes("cost.json", {"flops": 1e12, "device": "8 H100"})
    cost = store.manifest("proxy", trained(writes_scores(GOOD) + told, command_version=2).key)["cost"]
    assert (cost["flops"], cost["device"], cost["tokens"]) == (1e12, "8 H100", 4096)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", r"scores\.json: not written by proxy\.command; found in the output folder: nothing"),
        (writes_scores("{"), r"scores\.json: not valid JSON"),
        (writes_scores([1.0]), r"scores\.json: holds a list"),
        (writes_scores({"easy": 1.0}), r"scores\.json: task 'hard' is missing; found: easy"),
        (writes_scores('{"easy": 1.0, "hard": NaN}'), r"scores\.json: task 'hard': found NaN; a finite number"),
        (writes_scores({"easy": "1.0", "hard": 1.0}), r"scores\.json: task 'easy': found \"1\.0\"; a finite number"),
        (writes_scores({"easy": {"accuracy": 1}, "hard": 1.0}), r"task 'easy': found {\"accuracy\": 1}"),
        (writes_scores(GOOD) + "(output / 'manifest.json').touch()", r"manifest\.json: .* reserved"),
        (writes_scores(GOOD) + "(output / 'link').symlink_to(sys.argv[1])", "link: is a symbolic link"),
        (writes_scores(GOOD) + writes("cost.json", '{"flops": -1}'), r"cost\.json: flops: found -1"),
        (writes_scores(GOOD) + writes("cost.json", '{"flops": NaN}'), r"cost\.json: flops: found nan"),
        (writes_scores(GOOD) + writes("cost.json", {"euros": 1}), r"cost\.json: euros: unknown"),
        ("print('step 1\\rstep 2')\nsys.exit('out of luck')", r"(?s)exit code 1; its last lines:.*step 2.*out of luck"),
        ("import os\nos.kill(os.getpid(), 9)", "killed by SIGKILL"),
    ],
)
def test_a_command_that_fails_or_leaves_nonsense_makes_no_run(trained, store, source, message):
    with pytest.raises(WorkError, match=message):
        trained(source)
    assert not (store.root / "proxy").exists()
    assert not list((store.root / ".partial").iterdir())


def test_a_checkpoint_must_be_complete(trained):
    with pytest.raises(WorkError, match=r"model\.safetensors: not written by .*; found in .*: config\.json"):
        trained("(output / 'config.json').touch()", writes="checkpoint")


@pytest.mark.parametrize("command", ["no-such-program --fast", "./README.md", "", "python 'open"])
def test_a_command_that_cannot_start_is_a_mistake_in_params(store, inputs, command):
    with pytest.raises(InputError, match=r"^params\.yaml: proxy\.command: "):
        run_proxy(spec(command=command), NAMES, ITEMS, store, Execution(), silent)


def test_progress_is_shown_while_the_command_runs(trained, monkeypatch):
    """The trainer goes on only when its line has been seen."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    seen = []

    def say(line):
        seen.append(line)
        if line.startswith("waiting for "):
            Path(line.removeprefix("waiting for ")).touch()

    wait = (
        "import time\nsign = output / 'sign'\nprint('waiting for', sign)\n"
        "for _ in range(1000):\n    if sign.exists(): break\n    time.sleep(0.01)\n"
        "else:\n    sys.exit('not seen')\n"
    )
    trained(wait + writes_scores(GOOD), say=say)
    assert "4,096 tokens of 2 leaves" in seen[0]
    assert len(seen) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel kills orphans on Linux only")
def test_a_killed_job_takes_its_command_along(store, inputs, tmp_path):
    (tmp_path / "slow.py").write_text("import os, time\nprint('pid', os.getpid())\ntime.sleep(60)\n")
    job = (
        "from pathlib import Path\nfrom olmix.proxy.run import run_proxy\nfrom olmix.proxy.spec import Execution\n"
        "from olmix.store import Store\n"
        "from tests.proxy.test_command import ITEMS, NAMES, spec\n"
        f"run_proxy(spec(command={sys.executable + ' slow.py'!r}), NAMES, ITEMS, Store(Path({str(store.root)!r})), "
        "Execution(), lambda line: print(line, flush=True))\n"
    )
    running = subprocess.Popen([sys.executable, "-c", job], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pid = next(int(line.split()[1]) for line in running.stdout if line.startswith("pid"))
    running.send_signal(signal.SIGKILL)
    running.wait()
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_trainer_of_the_documentation_trains_and_is_scored(store, inputs, tmp_path):
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs/trainer.md").read_text(), re.S)[1]
    (tmp_path / "my_trainer.py").write_text(example)
    lines = []
    made = spec(command=f"{sys.executable} my_trainer.py")
    run_proxy(made, NAMES, ITEMS, store, Execution(), lines.append)
    losses = [float(line.split()[-1]) for line in lines if line.startswith("step")]
    assert len(losses) == 32
    assert losses[-1] < 0.8 * losses[0]
    scores = store.read_json("evaluation", evaluate(made, "s", ITEMS, store, 1, silent), "scores.json")
    assert 0 < scores["easy"]["bpb"] < 20
    assert (scores["hard"]["items"], scores["hard"]["bytes"]) == (1, 9)


LAW = {
    "tasks": {
        task: {"c": 0.5 + 0.1 * i, "t": {"code": -i, "maths": 0.3 * i, "web:games": -1.0, "web:news": 0.5}}
        for i, task in enumerate(("code", "games", "maths", "news"))
    }
}


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A miniature project whose runs are scored by a known law, made once."""
    folder = build(tmp_path_factory.mktemp("known"))
    (folder / "law.json").write_text(json.dumps(LAW))
    command = shlex.join([sys.executable, str(ROOT / "tests/known_law.py"), "law.json"])
    change_params(folder, proxy={"command": command, "command_writes": "scores"})
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr[-5000:]
    return folder


def test_a_project_runs_on_a_known_law(known):
    project = Project.load(known)
    plan, store = project.plan(), project.store
    table = read_table(plan, plan.runs, store)
    for mixture, row in zip(table.mixtures, table.scores, strict=True):
        leaves = [{"name": name, "count": share} for name, share in zip(table.leaves, mixture, strict=True)]
        truth = law_scores(LAW, {"leaves": leaves, "tasks": table.tasks})
        assert row == pytest.approx([truth[task] for task in table.tasks], rel=1e-12)
    assert len(plan.validation) == 2
    for planned in plan.validation:
        written = store.read_json("validation", planned.key, "evaluation/scores.json")
        assert {task: score["items"] for task, score in written.items()} == dict.fromkeys(table.tasks, 20)
    assert "command, not recorded" in (known / "results/report.html").read_text()


def test_making_a_run_by_a_command_loads_no_torch(known):
    plan = Project.load(known).plan()
    key = plan.swarm[0].key
    manifest = known / "store/proxy" / key / "manifest.json"
    manifest.rename(manifest.with_suffix(".old"))
    code = (
        "import sys\nfrom olmix.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "assert not {'torch', 'transformers', 'sklearn', 'cvxpy'} & set(sys.modules), 'heavy'\n"
    )
    for job in (["proxy", key], ["evaluation", plan.swarm[0].evaluation]):
        done = subprocess.run(
            [sys.executable, "-c", code, "make", *job], cwd=known, env=os.environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert manifest.exists()


def runs_after(known, change):
    """Whether an edit keeps the runs and the evaluations, according to the plan; the edit is undone."""
    files = [known / "params.yaml", known / "data/suite/code.jsonl"]
    before = [path.read_bytes() for path in files]
    try:
        change(known)
        return {run.key: run.evaluation for run in Project.load(known).compute_plan().runs}
    finally:
        for path, content in zip(files, before, strict=True):
            path.write_bytes(content)


def new_items(folder):
    rows = [{"context": "def", "continuation": s} for s in sentences("code", 9, 5)]
    write_jsonl(folder / "data/suite/code.jsonl", rows)


def test_a_raised_version_and_new_items_make_every_run_again(known):
    runs = runs_after(known, lambda folder: None)
    for change in (lambda folder: change_params(folder, proxy={"command_version": 2}), new_items):
        assert not set(runs) & set(runs_after(known, change))


def test_new_items_only_score_again_what_is_a_checkpoint(known):
    def checkpoint(folder):
        change_params(folder, proxy={"command_writes": "checkpoint"})

    runs = runs_after(known, checkpoint)
    edited = runs_after(known, lambda folder: (checkpoint(folder), new_items(folder)))
    assert set(runs) == set(edited)
    assert not set(runs.values()) & set(edited.values())


def test_a_mistyped_command_ends_with_one_line_and_exit_code_2(known):
    before = (known / "params.yaml").read_bytes()
    change_params(known, proxy={"command": "no-such-program"})
    try:
        project = Project.load(known)
        assert run(known, "olmix", "make", "plan", project.plan_key).returncode == 0
        done = run(known, "olmix", "make", "proxy", project.plan().swarm[0].key)
    finally:
        (known / "params.yaml").write_bytes(before)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("olmix: params.yaml: proxy.command: 'no-such-program' cannot be started: No such file")
    assert "Traceback" not in done.stderr
