"""The mutation matrix: each row changes one ingredient of an accepted project and states exactly which jobs may run.

Jobs are compared with what `snakemake -n` plans, with what really runs, and with what `dvc repro` does afterwards.
The project has 4 leaves, a swarm of 6 runs, 2 prior runs and 2 proof runs. Its trainer also scores, so that its runs
depend on the suite.
"""

import json
import os
import re
import shutil
from collections import Counter

import pytest
import yaml

from olmix.project import Project
from tests.graph.conftest import clone_and_pull, dvc, git, write_maths
from tests.miniature import change_params, planned_jobs, run, sentences, snakemake, write_jsonl, write_yaml

VIEWS = {"today": 1, "swarm_table": 1, "mixture": 1, "report": 1}
PLAN = {"plan": 1, **VIEWS}
PLANNING = ("tokens", "items", "plan", "today")
SOLVE = {"proposal": 1, "validation": 2, **PLAN}
FIT = {"law": 1, **SOLVE}
EVERYTHING = {"tokens": 4, "items": 1, "proxy": 8, "evaluation": 8, **FIT}


def swarm(runs, tokens=0):
    """A new swarm, with 2 runs of a new prior."""
    jobs = {"proxy": runs + 2, "evaluation": runs + 2, **FIT}
    return jobs | ({"tokens": tokens} if tokens else {})


def params(**sections):
    return lambda folder: change_params(folder, **sections)


def edit(name, old, new):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def reorder_params(folder):
    text = (folder / "params.yaml").read_text()
    sections = re.split(r"^(?=\w)", text, flags=re.M)[1:]
    (folder / "params.yaml").write_text("# a comment\n" + "".join(reversed(sections)))


def swap_params(folder):
    change_params(folder, proxy={"warmup": 0.5, "clip": 0.1})


def other_tokenizer(folder):
    """The same tokenizer with one merge less, and its digest."""
    from olmix.digest import digest

    path = folder / "tokenizer/tokenizer.json"
    tokenizer = json.loads(path.read_text())
    del tokenizer["model"]["merges"][-1]
    path.write_text(json.dumps(tokenizer))
    change_params(folder, tokenizer={"digest": digest(tokenizer)})


def move_tokenizer(folder):
    (folder / "tokenizer").rename(folder / "elsewhere")
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())
    for stage in stages["stages"].values():
        stage["deps"] = ["elsewhere" if dep == "tokenizer" else dep for dep in stage.get("deps", [])]
    write_yaml(folder / "dvc.yaml", stages)
    change_params(folder, tokenizer={"path": "elsewhere"})


def same_time(folder, name, change):
    """Change a file and restore its modification time, as `cp -p`, tar or git may do."""
    stat = (folder / name).stat()
    size = stat.st_size
    change()
    assert (folder / name).stat().st_size == size
    os.utime(folder / name, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def change_bytes_only(folder):
    path = folder / "data/texts/code.jsonl"
    same_time(folder, "data/texts/code.jsonl", lambda: _replace_inode(path, path.read_text().replace("self", "flse")))


def change_large_file(folder):
    same_time(folder, "data/texts/maths.jsonl", lambda: _flip_a_letter(folder / "data/texts/maths.jsonl"))


def _replace_inode(path, text):
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def _flip_a_letter(path):
    _replace_inode(path, path.read_text().replace("theorem", "tehorem", 1))


def touch(*names):
    def change(folder):
        for name in names:
            os.utime(folder / name)

    return change


def add_file(folder):
    write_jsonl(folder / "data/texts/news-2.jsonl", [{"text": text} for text in sentences("news", 50, seed=5)])


def rename_file(folder):
    (folder / "data/texts/news-1.jsonl").rename(folder / "data/texts/news-9.jsonl")


def rename_leaf(folder):
    edit("domains/web.yaml", "news:", "press:")(folder)


def rename_source(folder):
    (folder / "domains/code.yaml").rename(folder / "domains/python.yaml")


def swap_names(folder):
    one, two = folder / "domains/code.yaml", folder / "domains/maths.yaml"
    texts = one.read_text(), two.read_text()
    one.write_text(texts[1])
    two.write_text(texts[0])


def reorder_source(folder):
    topics = yaml.safe_load((folder / "domains/web.yaml").read_text())["topics"]
    write_yaml(folder / "domains/web.yaml", {"description": "words", "topics": dict(reversed(topics.items()))})


def add_leaf(folder, name="poems", seed=3):
    write_jsonl(folder / f"data/texts/{name}.jsonl", [{"text": text} for text in sentences("news", 150, seed)])
    write_yaml(folder / f"domains/{name}.yaml", {"files": f"data/texts/{name}.jsonl"})


def remove_leaf(folder):
    (folder / "domains/maths.yaml").unlink()


def revise_leaf(folder):
    write_maths(folder, seed=8)


def revise_reader(folder):
    edit("domains/code.yaml", "files:", "filters: {min_chars: 60}\nfiles:")(folder)


def split_leaf(folder):
    topics = yaml.safe_load((folder / "domains/web.yaml").read_text())["topics"]
    parts = {part: {"files": f"data/texts/news-{i}.jsonl"} for i, part in enumerate(("a", "b"))}
    write_yaml(folder / "domains/web.yaml", {"topics": {"games": topics["games"], **parts}})


def merge_leaves(folder):
    files = ["data/texts/news-*.jsonl", "data/texts/games.jsonl"]
    write_yaml(folder / "domains/web.yaml", {"topics": {"all": {"files": files}}})


def revise_with_swarm_reuse(folder):
    change_params(folder, reuse={"strategy": "swarm"})
    revise_leaf(folder)


def without_maths(folder):
    """Runs that gave the revised leaf no weight still count, the others are trained anew."""
    kept = [run for run in Project.load(folder).plan().swarm if "maths" not in run.mixture]
    assert 0 < len(kept) < 5
    return swarm(6 - len(kept), tokens=1)


def update_at_once(folder):
    remove_leaf(folder)
    add_leaf(folder)


def add_task(folder):
    items = [{"context": text[:20], "continuation": text[20:]} for text in sentences("code", 9, seed=4)]
    write_jsonl(folder / "data/suite/extra.jsonl", items)
    edit("suite.yaml", "tasks:\n      code:", "tasks:\n      extra: {files: data/suite/extra.jsonl}\n      code:")(
        folder
    )
    law = json.loads((folder / "law.json").read_text())
    law["tasks"]["extra"] = law["tasks"]["code"]
    (folder / "law.json").write_text(json.dumps(law))


def switch_branch_and_back(folder):
    git(folder, "checkout", "-qb", "other")
    change_params(folder, solver={"kl": 0.3})
    add_leaf(folder)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "other")
    git(folder, "checkout", "-q", "-")


def unaccept(folder):
    next((folder / "mixtures").glob("0001-*.yaml")).unlink()


def accept_again(folder):
    unaccept(folder)
    done = run(folder, "olmix", "accept", "--name", "again")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "mixtures/0001-again.yaml"


def finish_then(first, second):
    """A second edit after the first has been made, but not accepted."""

    def change(folder):
        first(folder)
        done = snakemake(folder)
        assert done.returncode == 0, done.stderr[-3000:]
        second(folder)

    return change


def raise_recipe(module):
    """A new version of the code of a phase, in every process of the project."""

    def change(folder):
        (folder / "patch").mkdir()
        lines = f"import {module}\n{module}.RECIPE += 1\n"
        (folder / "patch/sitecustomize.py").write_text(lines)

    return change


ROWS = {
    # what changes nothing
    "comment, order and spelling of params": (reorder_params, {}),
    "tokenizer moved": (move_tokenizer, {}),
    "same bytes, new time": (touch("data/texts/code.jsonl", "domains/code.yaml", "suite.yaml", "params.yaml"), {}),
    "a large file, same bytes, new time": (touch("data/texts/maths.jsonl"), {}),
    "a file renamed": (rename_file, {}),
    "topics reordered, described": (reorder_source, {}),
    "a git branch switched there and back": (switch_branch_and_back, {}),
    "a fresh clone after dvc pull": (clone_and_pull, {}),
    "accepted again": (accept_again, {}),
    "no longer accepted": (unaccept, {}),
    # what is seen in names only
    "a topic renamed": (rename_leaf, PLAN),
    "a source renamed": (rename_source, PLAN),
    "two leaves swap names": (swap_names, PLAN),
    "params: reuse": (params(reuse={"strategy": "none"}), PLAN),
    # params
    "params: tokenizer": (other_tokenizer, EVERYTHING),
    "params: prior": (params(prior={"temperature": 0.5}), swarm(6)),
    "params: target": (params(target={"repetition": 3.5}), SOLVE),
    "params: swarm": (params(swarm={"seed": 7}), {"proxy": 6, "evaluation": 6, **FIT}),
    "params: proxy": (params(proxy={"learning_rate": 0.01}), swarm(6)),
    "params: two values swapped": (swap_params, swarm(6)),
    "params: version of the trainer": (params(proxy={"command_version": 2}), swarm(6)),
    "params: regression": (params(regression={"penalty": 0.001}), FIT),
    "params: solver": (params(solver={"kl": 0.1}), SOLVE),
    "params: validation": (
        params(validation={"seeds": 3}),
        {"proxy": 1, "evaluation": 1, "validation": 1, **PLAN},
    ),
    # contents: one virtual domain, 1.2 (2 + 1) runs for a free leaf, 1.2 (3 + 1) for two
    "bytes changed, size and time kept": (change_bytes_only, swarm(4, tokens=1)),
    "a large file, bytes changed, size and time kept": (change_large_file, swarm(4, tokens=1)),
    "a file added to a glob": (add_file, swarm(4, tokens=1)),
    "a leaf revised": (revise_leaf, swarm(4, tokens=1)),
    "a leaf revised that some runs gave no weight": (revise_with_swarm_reuse, without_maths),
    "a leaf's reader revised": (revise_reader, swarm(4, tokens=1)),
    "a leaf added": (add_leaf, swarm(4, tokens=1)),
    "a leaf removed": (remove_leaf, {"proxy": 2, "evaluation": 2, **SOLVE}),
    "a leaf split": (split_leaf, swarm(5, tokens=2)),
    "two leaves merged": (merge_leaves, swarm(4, tokens=1)),
    "one leaf removed, one added": (update_at_once, swarm(4, tokens=1)),
    "a leaf added and removed again": (
        finish_then(add_leaf, lambda folder: (folder / "domains/poems.yaml").unlink()),
        VIEWS,
    ),
    "a second leaf added before the first was accepted": (
        finish_then(add_leaf, lambda folder: add_leaf(folder, "prose", seed=9)),
        swarm(4, tokens=1),  # the fifth, of the frozen mixture alone, was trained for the first leaf
    ),
    # the suite
    "a task added": (add_task, {"items": 1, **swarm(6)}),
    "a family's weight": (edit("suite.yaml", "weight: 2", "weight: 3"), SOLVE),
    # code
    "recipe of the fit": (raise_recipe("olmix.regression.spec"), FIT),
    "recipe of the scorer": (raise_recipe("olmix.evaluation.spec"), {"evaluation": 8, **FIT}),
}


def executed(output):
    """Jobs that Snakemake says it finished, without target rules."""
    found = Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", output, flags=re.M))
    return Counter(
        {rule: n for rule, n in found.items() if rule not in ("all", "corpus", "planned", "swarm", "fit", "solve")}
    )


@pytest.mark.parametrize("name", ROWS)
def test_matrix(accepted, name, monkeypatch):
    change, expected = ROWS[name]
    expected = expected(accepted) if callable(expected) else expected
    folder = change(accepted) or accepted
    if (folder / "patch").is_dir():
        monkeypatch.setenv("PYTHONPATH", str(folder / "patch"))
    planned = planned_jobs(folder)
    if "plan" in expected:
        phase = {rule: n for rule, n in expected.items() if rule in PLANNING}
        assert {rule: n for rule, n in planned.items() if rule in PLANNING} == phase
        done = snakemake(folder, "planned")
        assert done.returncode == 0, done.stderr[-3000:]
        ran = executed(done.stderr)
        assert ran == phase
        planned = planned_jobs(folder)
    else:
        ran = Counter()
    assert ran + Counter(planned) == Counter(expected)
    assert executed(dvc(folder, "repro")) == Counter(planned)
    assert planned_jobs(folder) == {}
    assert "Data and pipelines are up to date" in dvc(folder, "status")


STORED = {
    "tokens": {},
    "items": {},
    "plan": {"mixture": 1, "report": 1, "swarm_table": 1, "today": 1},
    "proxy": {},
    "evaluation": {"report": 1, "swarm_table": 1},
    "law": {"report": 1},
    "proposal": {"mixture": 1, "report": 1},
    "validation": {"report": 1},
}
"""Views that are written again when an artefact of a kind is made again; no other artefact is."""


@pytest.mark.parametrize("kind", STORED)
def test_a_deleted_artefact_is_made_again_or_restored(accepted, kind):
    """Snakemake makes exactly this one again; DVC has it in its cache."""
    shutil.rmtree(min((accepted / "store" / kind).iterdir()))
    assert planned_jobs(accepted) == {kind: 1, **STORED[kind]}
    dvc(accepted, "checkout", f"store/{kind}")
    assert planned_jobs(accepted) == {}
    assert "Data and pipelines are up to date" in dvc(accepted, "status")


READERS = {
    "tokens": "proxy", "items": "validation", "plan": "report", "proxy": "evaluation", "evaluation": "law",
    "law": "proposal", "proposal": "mixture", "validation": "report",
}  # fmt: skip


@pytest.mark.parametrize("kind", READERS)
def test_one_flipped_bit_is_seen_by_dvc_and_by_whoever_reads_it(accepted, kind):
    """Existence cannot tell, so Snakemake plans nothing; nothing is made from damaged bytes either."""
    payload = [p for p in (accepted / "store" / kind).rglob("*") if p.is_file() and p.name != "manifest.json"]
    for path in payload:
        path.chmod(0o644)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    if kind == "plan":  # the one artefact that planning reads
        assert "differs from its manifest" in snakemake(accepted, "-n").stdout + snakemake(accepted, "-n").stderr
    else:
        assert planned_jobs(accepted) == {}
    assert f"modified:           store/{kind}" in dvc(accepted, "status")
    reader = READERS[kind]
    shutil.rmtree(accepted / ("results" if reader in ("report", "mixture") else f"store/{reader}"))
    done = snakemake(accepted)
    assert done.returncode != 0
    assert "differs from its manifest" in done.stderr
    assert f"store/{kind}/" in done.stderr
