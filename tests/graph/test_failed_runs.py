"""A run that fails does not sink the swarm: the laws do without it, the results say so, and it is tried again."""

import json
import shlex
import shutil
import sys

import pandas as pd
import pytest

from olmix.project import Project
from tests.graph.test_rounds import LAW
from tests.miniature import ROOT, build, change_params, forget, planned_jobs, run, snakemake

TRAINER = """
import json, runpy, sys
from pathlib import Path
run = json.loads(Path(sys.argv[2]).read_text())
print("step 1 of", run["key"])
if run["key"] in Path("bad.txt").read_text().split():
    sys.exit("the loss is nan at step 1")
sys.argv = ["known_law.py", sys.argv[1], sys.argv[2]]
runpy.run_path(%r, run_name="__main__")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project of 6 + 2 runs of which none has failed."""
    folder = build(tmp_path_factory.mktemp("failing"))
    (folder / "law.json").write_text(json.dumps(LAW))
    (folder / "trainer.py").write_text(TRAINER % str(ROOT / "tests/known_law.py"))
    (folder / "bad.txt").write_text("")
    command = shlex.join([sys.executable, "trainer.py", "law.json"])
    change_params(folder, proxy={"command": command, "command_writes": "scores"}, swarm={"max_failed": 0.2})
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr[-5000:]
    return folder


def results(folder):
    return (folder / "results/mixture.yaml").read_text(), pd.read_csv(folder / "results/swarm.csv")


def test_the_swarm_goes_on_without_a_failed_run_and_tries_it_again(made):
    plan = Project.load(made).plan()
    whole, table = results(made)
    bad = plan.swarm[2]
    forget(made, "proxy", "evaluation", "law", "proposal", "validation")
    (made / "bad.txt").write_text(bad.key)
    done = snakemake(made)
    assert done.returncode == 0, done.stderr[-5000:]
    assert f"done without {bad.name}, which failed: proxy.command" in done.stderr
    without, fewer = results(made)
    assert without != whole
    assert sorted(fewer["key"]) == sorted(set(table["key"]) - {bad.key})
    settled = Project.load(made).plan()
    assert (list(settled.failed), settled.law != plan.law) == ([bad.key], True)
    store = Project.load(made).store
    assert [store.has("law", settled.law), store.has("law", plan.law)] == [True, False]
    shown = run(made, "olmix", "show")
    assert f"Without {bad.name}, which failed: proxy.command" in shown.stdout, shown.stderr
    assert f"{bad.name} failed, the laws do without it" in (made / "results/report.html").read_text()
    assert "the loss is nan at step 1" in (made / f"logs/proxy/{bad.key}.log").read_text()

    again = snakemake(made)  # it fails again: it alone is tried, and the results stay
    assert again.returncode == 0, again.stderr[-5000:]
    assert again.stderr.count("Train a proxy") == 1
    assert results(made)[0] == without

    (made / "bad.txt").write_text("")
    assert planned_jobs(made)["proxy"] == 1
    assert snakemake(made).returncode == 0
    assert results(made)[0] == whole
    assert list(results(made)[1]["key"]) == list(table["key"])
    assert planned_jobs(made) == {}
    assert "Without" not in run(made, "olmix", "show").stdout


def test_too_many_failures_are_an_error_that_names_them(made):
    plan = Project.load(made).plan()
    bad = plan.swarm[1:3]
    forget(made, "proxy", "evaluation")
    (made / "bad.txt").write_text(" ".join(run.key for run in bad))
    done = snakemake(made)
    assert done.returncode == 1
    assert "olmix: 2 of 6 runs failed, at most 1 may (swarm.max_failed 0.2): swarm-001: proxy.command" in done.stderr
    store = Project.load(made).store
    assert sum(store.has("proxy", run.key) for run in plan.swarm) == 4, "the others are made all the same"
    (made / "bad.txt").write_text("")
    assert snakemake(made).returncode == 0


def test_a_failed_run_of_the_prior_is_an_error(made):
    plan = Project.load(made).plan()
    forget(made, "proxy", "evaluation")
    (made / "bad.txt").write_text(plan.prior_runs[0].key)
    done = snakemake(made)
    assert done.returncode == 1
    assert "going on" not in done.stderr
    (made / "bad.txt").write_text("")
    assert snakemake(made).returncode == 0


def test_damaged_tokens_are_no_failure_of_the_run(made):
    project = Project.load(made)
    bad = project.plan().swarm[0]
    path = made / "store/tokens" / next(iter(bad.spec.counts)) / "tokens.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    (made / f"store/proxy/{bad.key}/manifest.json").unlink()
    done = run(made, "olmix", "make", "proxy", bad.key)
    assert (done.returncode, "differs from its manifest" in done.stderr) == (1, True)
    assert not project.store.failure(bad.key)
    path.write_bytes(whole)
    assert run(made, "olmix", "make", "proxy", bad.key).returncode == 0


def test_a_run_that_came_from_elsewhere_has_not_failed(made):
    project = Project.load(made)
    first, second = project.plan().swarm[:2]
    project.store.note_failure(first.key, "long ago")
    assert project.plan().failed == {}
    (made / f"store/proxy/{first.key}/manifest.json").rename(made / "kept")
    assert project.plan().failed == {first.key: "long ago"}
    assert project.plan().results_key != project.plan_key
    assert project.plan().fitted[0].key == second.key
    (made / "kept").rename(made / f"store/proxy/{first.key}/manifest.json")


def test_a_growing_swarm_goes_on_without_a_failed_run(made, tmp_path):
    """A run of the first round fails: the next round is planned from the laws without it."""
    folder = tmp_path / "growing"
    shutil.copytree(made, folder, ignore=shutil.ignore_patterns(".snakemake", "plan", "results"))
    swarm = {"rounds": 2, "runs_per_parameter": 2, "enough": 0.0, "max_failed": 0.2}
    change_params(folder, swarm=swarm)
    assert snakemake(folder, "--until", "plan").returncode == 0
    (first,) = Project.load(folder).plans()
    bad = first.swarm[1]
    forget(folder, "proxy", "evaluation", "law", "proposal", "validation")
    (folder / "bad.txt").write_text(bad.key)
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr[-5000:]
    assert f"done without {bad.name}" in done.stderr
    _, last = Project.load(folder).plans()
    assert len(last.swarm) == 10
    assert last.swarm[: len(first.swarm)] == first.swarm
    settled = Project.load(folder).plan()
    assert list(settled.failed) == [bad.key]
    assert Project.load(folder).store.has("law", settled.law)

    (folder / "bad.txt").write_text("")
    assert planned_jobs(folder)["proxy"] == 1
    assert snakemake(folder).returncode == 0
    assert list(Project.load(folder).plans()) == [first, last]
    assert planned_jobs(folder) == {}
