"""`olmix gc` removes what nothing reaches, and nothing else."""

import os
import time

import yaml

from olmix.gc import AT_WORK, find_garbage
from olmix.process import LOCK, hold_lock
from olmix.project import Project
from tests.miniature import change_params, planned_jobs, run, snakemake


def everything(folder):
    return {path.relative_to(folder).as_posix() for path in (folder / "store").glob("[!.]*/*")}


def test_all_that_a_finished_project_holds_is_needed(project):
    before = everything(project)
    done = run(project, "olmix", "gc", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Nothing to remove: all that is in the store is needed\n"
    assert everything(project) == before


def test_what_neither_history_nor_plan_reaches_goes(project):
    assert run(project, "olmix", "accept").returncode == 0
    before = everything(project)
    change_params(project, solver={"kl": 0.4})
    unplanned = run(project, "olmix", "gc", "--yes")
    assert unplanned.returncode == 1
    assert "no plan for today's domain set and params yet" in unplanned.stderr
    assert snakemake(project).returncode == 0
    after = everything(project)
    new = after - before
    assert {path.split("/")[1] for path in new} == {"plan", "proposal", "validation"}
    assert find_garbage(Project.load(project)).artefacts == {}  # the accepted mixture rests on the rest

    [accepted] = (project / "mixtures").glob("*.yaml")
    rests_on = yaml.safe_load(accepted.read_text())
    accepted.unlink()
    listed = run(project, "olmix", "gc", "--dry-run")
    assert [line.split()[:2] for line in listed.stdout.splitlines()] == [
        ["plan", "1"],
        ["proposal", "1"],
        ["validation", "2"],
    ]
    nobody = run(project, "olmix", "gc")
    assert nobody.returncode == 2
    assert nobody.stderr == "olmix: gc: nobody is there to ask; --yes removes this, --dry-run does not\n"
    assert everything(project) == after
    done = run(project, "olmix", "gc", "--yes")
    assert done.returncode == 0, done.stderr
    gone = after - everything(project)
    assert {f"store/plan/{rests_on['plan']}", f"store/proposal/{rests_on['proposal']}"} < gone
    assert len(gone) == 4
    assert not gone & new
    assert planned_jobs(project) == {}
    assert run(project, "olmix", "audit").returncode == 0


def test_another_project_that_shares_the_store_keeps_its_artefacts(project, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name in (
        "Snakefile",
        "rules",
        "profiles",
        "params.yaml",
        "domains",
        "data",
        "suite.yaml",
        "tokenizer",
        "store",
    ):
        (other / name).symlink_to(project / name)
    (other / "mixtures").mkdir()
    change_params(project, solver={"kl": 0.4})
    run(project, "snakemake", "--cores", "2", "planned")
    (other / "params.yaml").unlink()
    (other / "params.yaml").write_text((project / "params.yaml").read_text().replace("kl: 0.4", "kl: 0.05"))
    today = Project.load(project)
    assert {path.parent.name for path in find_garbage(today).artefacts} == {"plan", "proposal", "validation"}
    assert find_garbage(today, [Project.load(other)]).artefacts == {}


def test_what_killed_jobs_left_goes_once_it_is_old(project):
    today = Project.load(project)
    needed = today.plan().swarm[0].key
    partial = project / "store/.partial"
    names = [f"tokens-{needed}-0123abcd", f"staged-proxy-{'0' * 20}", f"staged-proxy-{needed}", needed, "0" * 20]
    for name in names:
        (partial / name).mkdir(parents=True)
        (partial / name / "file").write_text("x" * 100)
    assert find_garbage(today).unfinished == {}  # a job may be at work
    old = time.time() - 2 * AT_WORK
    for path in partial.rglob("*"):
        os.utime(path, (old, old))
    found = find_garbage(today).unfinished
    assert sorted(path.name for path in found) == sorted({*names} - {needed})  # its checkpoints
    assert set(found.values()) == {100}
    run(project, "olmix", "gc", "--yes")
    assert [path.name for path in partial.iterdir()] == [needed]


def test_it_keeps_away_from_a_project_at_work(project):
    with hold_lock(project / LOCK):
        done = run(project, "olmix", "gc", "--yes")
    assert done.returncode == 1
    assert "is already at work in this folder" in done.stderr


def test_an_unknown_project_is_named(project):
    done = run(project, "olmix", "gc", "--yes", "--project", "nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("olmix: nowhere/params.yaml: ")
