"""Edits of a finished project with the built-in trainer; the full list of mutations is in test_matrix.py."""

import os
import shutil

import pytest
import yaml

from tests.miniature import planned_jobs, sentences, snakemake, write_jsonl


def edit(path, change):
    path.write_text(change(path.read_text()))


def test_a_finished_project_has_nothing_to_do(project):
    assert planned_jobs(project) == {}


def test_touching_every_file_reruns_nothing(project):
    for path in project.rglob("*"):
        os.utime(path)
    assert planned_jobs(project) == {}


def test_old_inputs_and_new_outputs_rerun_nothing(project):
    for path in (project / "store").rglob("*"):
        os.utime(path, (1, 1))
    assert planned_jobs(project) == {}


def reorder(project):
    suite = yaml.safe_load((project / "suite.yaml").read_text())
    suite["families"] = dict(reversed(suite["families"].items()))
    (project / "suite.yaml").write_text("# a comment\n" + yaml.safe_dump(suite, sort_keys=False))
    web = yaml.safe_load((project / "domains/web.yaml").read_text())
    web["topics"] = dict(reversed(web["topics"].items()))
    (project / "domains/web.yaml").write_text(yaml.safe_dump(web, sort_keys=False))
    params = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump(dict(reversed(params.items())), sort_keys=False))


def rename_file(project):
    (project / "data/texts/code.jsonl").rename(project / "data/texts/zz.jsonl")
    edit(project / "domains/code.yaml", lambda text: text.replace("code.jsonl", "zz.jsonl"))


def rename_folder_of_domains(project):
    (project / "domains").rename(project / "sets")
    params = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump(params | {"domains": "sets"}))


@pytest.mark.parametrize("change", [reorder, rename_file, rename_folder_of_domains])
def test_what_does_not_matter_reruns_nothing(project, change):
    change(project)
    assert planned_jobs(project) == {}


def after_planning(project):
    """Jobs that an edit leads to: plan first, then look."""
    done = snakemake(project, "planned")
    assert done.returncode == 0, done.stderr[-3000:]
    return planned_jobs(project)


def test_new_items_evaluate_again_but_train_nothing_of_the_swarm(project):
    write_jsonl(
        project / "data/suite/code.jsonl", [{"context": "def", "continuation": s} for s in sentences("code", 9, 5)]
    )
    jobs = after_planning(project)
    assert "proxy" not in jobs
    assert jobs["evaluation"] == 8


def test_a_revised_leaf_keeps_the_runs_that_did_not_use_it(project):
    from olmix.project import Project

    plan = Project.load(project).plan()
    write_jsonl(project / "data/texts/maths.jsonl", [{"text": s} for s in sentences("maths", 120, seed=7)])
    done = snakemake(project, "corpus")
    assert done.returncode == 0
    assert done.stderr.count("Tokens of one leaf") == 1
    without = {run.key for run in plan.runs if "maths" not in run.mixture}
    assert all((project / "store/proxy" / key).is_dir() for key in without)


@pytest.mark.parametrize("kind", ["tokens", "items", "plan", "proxy", "evaluation", "law", "proposal", "validation"])
def test_an_artefact_that_goes_missing_is_made_again(project, kind):
    shutil.rmtree(next((project / "store" / kind).iterdir()))
    jobs = planned_jobs(project)
    assert jobs[{"tokens": "tokens"}.get(kind, kind)] == 1


@pytest.mark.parametrize("view", ["swarm.csv", "mixture.yaml", "report.html", "metrics.json"])
def test_a_view_that_goes_missing_is_written_again(project, view):
    (project / "results" / view).unlink()
    rule = {"swarm.csv": "swarm_table", "mixture.yaml": "mixture"}.get(view, "report")
    assert planned_jobs(project) == {rule: 1}
