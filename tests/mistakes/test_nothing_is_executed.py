"""Data are read, never run: no pickle, no tag, no name and no path makes the program execute or write elsewhere."""

import ast
import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from olmix.corpus.tokens import open_tokens
from olmix.errors import WorkError
from olmix.evaluation.score import load_foreign
from olmix.proxy.checkpoint import Checkpoints
from tests.miniature import ROOT, build, change_params, planned_jobs, run, snakemake, write_jsonl, write_yaml

EVIL = ["$(touch pwned)", "; touch pwned;", 'it\'s "quoted"', "two\nlines", "{x} {{key}} {wildcards.key}", "[a]*?"]
RUNNING = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "pickle.load", "pickle.loads",
    "joblib.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "subprocess.getoutput",
}  # fmt: skip


class Touch:
    """A pickle that leaves a file behind when it is loaded."""

    def __reduce__(self):
        return Path.touch, (Path("pwned"),)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not list(tmp_path.rglob("pwned"))


def calls():
    """Every call of a function in the package: file, name as it is written, and the call."""
    for path in sorted((ROOT / "olmix").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.relative_to(ROOT).as_posix(), ast.unparse(node.func), node


def keyword(call, name):
    return next((word.value for word in call.keywords if word.arg == name), None)


def test_no_function_that_runs_data_is_called():
    assert not [(path, name) for path, name, _ in calls() if name in RUNNING]


def test_yaml_is_loaded_by_safe_loaders_only():
    loads = [(path, call) for path, name, call in calls() if name == "yaml.load"]
    assert [path for path, _ in loads] == ["olmix/schema.py"]
    assert ast.unparse(keyword(loads[0][1], "Loader")) == "_UniqueKeyLoader"
    from olmix import schema

    assert issubclass(schema._UniqueKeyLoader, yaml.SafeLoader | yaml.CSafeLoader)


def test_arrays_are_loaded_without_pickles_and_models_without_code_of_their_own():
    arrays = [call for _, name, call in calls() if name == "np.load"]
    assert len(arrays) > 2
    assert all(keyword(call, "allow_pickle").value is False for call in arrays)
    models = [call for _, name, call in calls() if name.endswith(".from_pretrained")]
    assert all(keyword(c, "use_safetensors") or keyword(c, "trust_remote_code").value is False for c in models)


def test_no_command_goes_through_a_shell():
    assert not [path for path, _, call in calls() if keyword(call, "shell") is not None]


def test_a_pickle_for_an_array_is_refused(here, store):
    with store.publish("tokens", "k") as draft:
        np.save(draft.path / "tokens.npy", np.array([Touch()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Array can't be memory-mapped: Python objects"):
        open_tokens(store, "k")


def test_a_pickle_for_the_state_of_a_run_is_passed_over(here):
    (here / "step-000000001.safetensors").write_bytes(pickle.dumps(Touch()))
    said = []
    assert Checkpoints(here, "k", 0.0, said.append).latest() is None
    assert "damaged" in said[0]


def test_a_pickle_for_a_checkpoint_is_refused(here):
    (here / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (here / "pytorch_model.bin").write_bytes(pickle.dumps(Touch()))
    with pytest.raises(OSError, match="safetensors"):
        load_foreign(here)


def test_a_checkpoint_that_brings_code_is_refused(here):
    (here / "config.json").write_text(json.dumps({"model_type": "mine", "auto_map": {"AutoModel": "evil.Model"}}))
    (here / "evil.py").write_text("open('pwned', 'w')")
    with pytest.raises(WorkError, match="model_type: found 'mine'"):
        load_foreign(here)


@pytest.mark.parametrize("name", ["$(touch pwned)", "; touch pwned;", "../../pwned"])
def test_words_of_a_trainer_are_no_shell(here, name, store):
    from olmix.proxy.command import _run

    _run(f"{sys.executable} -c 'import sys' '{name}'", here / "$(touch pwned)", here, lambda line: None)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A project in a folder with spaces and quotes, whose data files have names of every evil kind; made once."""
    folder = tmp_path_factory.mktemp("x") / 'it\'s "a" $(touch pwned) {folder}; touch pwned'
    folder.mkdir()
    build(folder)
    shutil.copy(ROOT / "tests/known_law.py", folder / "trainer.py")
    names = ("code", "maths", "web:games", "web:news")
    tasks = {task: {"c": 0.5, "t": dict.fromkeys(names, 0.1 * i)} for i, task in enumerate(EVIL[:4])}
    tasks |= {task: {"c": 0.5, "t": dict(zip(names, (-1, 0, 0.2, 0.5), strict=True))} for task in EVIL[4:]}
    law = {"tasks": {" ".join(task.split()): law for task, law in tasks.items()}, "noise": 0.001}
    (folder / "law.json").write_text(json.dumps(law))
    for i, evil in enumerate(EVIL):
        source = folder / f"data/texts/{('code', 'news', 'games', 'maths')[i % 4]}.jsonl"
        rows = [json.loads(line) for line in source.read_text().splitlines()]
        write_jsonl(folder / f"data/texts/evil-{i}/{evil}.jsonl", [{"text": f"{i} {row['text']}"} for row in rows])
        write_jsonl(folder / f"data/suite/evil-{i}/{evil}.jsonl", [{"context": f"{i}", "continuation": "x"}])
    topics = {name: {"files": f"data/texts/evil-{i}/*.jsonl"} for i, name in enumerate(("games", "news"))}
    write_yaml(folder / "domains/web.yaml", {"description": "<script>pwned</script>", "topics": topics})
    write_yaml(folder / "domains/code.yaml", {"files": [f"data/texts/evil-{i}/*" for i in (2, 4)]})
    write_yaml(folder / "domains/maths.yaml", {"files": [f"data/texts/evil-{i}/*" for i in (3, 5)]})
    items = {" ".join(evil.split()): {"files": f"data/suite/evil-{i}/*"} for i, evil in enumerate(EVIL)}
    write_yaml(folder / "suite.yaml", {"families": {"<script>pwned": {"tasks": items}}})
    change_params(folder, proxy={"command": "python trainer.py law.json", "command_writes": "scores"})
    return folder, snakemake(folder)


def test_names_and_folders_are_only_names(hostile):
    folder, done = hostile
    assert done.returncode == 0, done.stderr[-4000:]
    assert (folder / "results/mixture.yaml").is_file()
    assert not [path for path in folder.parent.rglob("pwned*") if path.name == "pwned"]
    assert planned_jobs(folder) == {}


def test_the_report_shows_names_as_text(hostile):
    page = (hostile[0] / "results/report.html").read_text()
    assert "&lt;script&gt;pwned" in page
    assert "<script>pwned" not in page


def test_accept_writes_into_mixtures_alone(hostile):
    folder, _ = hostile
    for name in ("../x", "/tmp/x", "a/b", "$(touch pwned)", "a\nb"):
        done = run(folder, "olmix", "accept", "--name", name)
        assert done.returncode == 2
        assert done.stderr.startswith("olmix: --name: found ")
        assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in (folder / "mixtures").iterdir()) == ["README.md"]
