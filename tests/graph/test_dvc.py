"""DVC and Snakemake agree: what one has made, the other does not make again."""

import subprocess

import pytest
import yaml

from tests.miniature import change_params, planned_jobs, run


def dvc(folder, *arguments):
    done = run(folder, "dvc", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def recorded(project):
    """The finished project under git and DVC, recorded after a plain `snakemake` run."""
    stages = yaml.safe_load((project / "dvc.yaml").read_text())
    # The texts of the miniature are there already.
    stages["stages"]["texts"] = {"cmd": "true", "outs": [{f"data/{n}": {"persist": True}} for n in ("texts", "suite")]}
    for stage in stages["stages"].values():
        stage["deps"] = ["suite.yaml" if dep == "suites" else dep for dep in stage.get("deps", [])]
    (project / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))
    git(project, "init", "-q")
    dvc(project, "init", "-q")
    done = run(project, "olmix", "record")
    assert done.returncode == 0, done.stderr
    git(project, "add", "-A")
    git(project, "commit", "-qm", "finished")
    return project


def test_after_snakemake_and_record_dvc_runs_no_stage(recorded):
    assert "Data and pipelines are up to date" in dvc(recorded, "status")
    output = dvc(recorded, "repro")
    assert "Running stage" not in output
    assert "Data and pipelines are up to date" in output


def test_a_clone_that_pulls_has_nothing_to_do(recorded, tmp_path):
    dvc(recorded, "remote", "add", "-d", "local", str(tmp_path / "remote"))
    git(recorded, "commit", "-qam", "remote")
    dvc(recorded, "push", "-q")
    git(tmp_path, "clone", "-q", str(recorded), "clone")
    clone = tmp_path / "clone"
    assert not (clone / "store/proxy").exists()
    dvc(clone, "pull", "-q")
    assert planned_jobs(clone) == {}
    assert "Data and pipelines are up to date" in dvc(clone, "status")
    # The clone sees an edit made before its first run, although Snakemake has no records there.
    change_params(clone, solver={"kl": 0.1})
    assert planned_jobs(clone)["plan"] == 1


def test_dvc_repro_runs_the_stages_that_an_edit_reaches(recorded):
    change_params(recorded, solver={"kl": 0.2})
    output = dvc(recorded, "repro")
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran[0] == "plan"
    assert {"solve", "report"} <= set(ran)
    assert "corpus" not in ran
    assert planned_jobs(recorded) == {}
    assert "Running stage" not in dvc(recorded, "repro")
    changed = dvc(recorded, "metrics", "diff")
    assert "gain_percent" in changed


def test_without_dvc_record_says_so(project):
    done = run(project, "olmix", "record")
    assert done.returncode == 0
    assert "dvc init" in done.stderr
