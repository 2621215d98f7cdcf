"""DVC and Snakemake agree: what one has made, the other does not make again."""

from tests.graph.conftest import clone_and_pull, dvc
from tests.miniature import change_params, planned_jobs, run


def test_after_snakemake_and_record_dvc_runs_no_stage(accepted):
    assert "Data and pipelines are up to date" in dvc(accepted, "status")
    output = dvc(accepted, "repro")
    assert "Running stage" not in output
    assert "Data and pipelines are up to date" in output


def test_a_clone_that_pulls_has_nothing_to_do(accepted):
    clone = clone_and_pull(accepted)
    assert planned_jobs(clone) == {}
    assert "Data and pipelines are up to date" in dvc(clone, "status")
    # The clone sees an edit made before its first run, although Snakemake has no records there.
    change_params(clone, solver={"kl": 0.1})
    assert planned_jobs(clone)["plan"] == 1


def test_dvc_repro_runs_the_stages_that_an_edit_reaches(accepted):
    change_params(accepted, solver={"kl": 0.2})
    output = dvc(accepted, "repro")
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran[0] == "plan"
    assert {"solve", "report"} <= set(ran)
    assert "corpus" not in ran
    assert planned_jobs(accepted) == {}
    assert "Running stage" not in dvc(accepted, "repro")
    changed = dvc(accepted, "metrics", "diff")
    assert "gain_percent" in changed


def test_without_dvc_record_says_so(project):
    done = run(project, "olmix", "record")
    assert done.returncode == 0
    assert "dvc init" in done.stderr
