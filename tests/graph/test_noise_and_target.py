"""`snakemake noise` and `snakemake target`: what they train, what they show, and that they disturb nothing else."""

import csv
import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from olmix.project import Project
from olmix.workflow import Workflow
from tests.graph.conftest import LAW, dvc
from tests.miniature import change_params, planned_jobs, run, snakemake

MODEL = {"layers": 2, "heads": 2, "width": 48, "mlp_width": 96, "tied_embeddings": True}


def keys(folder, kind="proxy"):
    return {path.name for path in (folder / "store" / kind).iterdir()}


def table(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_noise(accepted):
    change_params(accepted, noise={"mixtures": 2, "seeds": 3})
    before, plan = keys(accepted), Project.load(accepted).plan()
    done = snakemake(accepted, "noise")
    assert done.returncode == 0, done.stderr[-3000:]
    added = keys(accepted) - before
    assert len(added) == 1 + 2 + 2  # a third seed of the prior, two more of each mixture

    rows, found = table(accepted / "results/noise.csv"), json.loads((accepted / "results/noise.json").read_text())
    assert len(rows) == 9
    assert {row["key"] for row in rows} >= added
    assert {row["seed"] for row in rows} == {"0", "1", "2"}
    mixtures = list(dict.fromkeys(row["mixture"] for row in rows))
    assert mixtures[0] == "prior"
    assert set(mixtures[1:]) <= {each.name for each in plan.swarm}
    mean = np.array([[float(row["bpb/mean"]) for row in rows if row["mixture"] == name] for name in mixtures])
    assert found["seed_sd"] == pytest.approx(math.sqrt(mean.var(axis=1, ddof=1).mean()))
    assert list(found["mixtures"].values()) == pytest.approx(mean.std(axis=1, ddof=1).tolist())

    truth = LAW["noise"] * math.sqrt(sum(task.weight**2 for task in plan.tasks))
    low, high = found["seed_sd_interval"]
    assert low < truth < high

    page = (accepted / "results/report.html").read_text()
    assert found["sentences"][0] in page
    assert "noise: train" in page
    assert json.loads((accepted / "results/metrics.json").read_text())["repeats"]["seed_sd"] == found["seed_sd"]
    assert Project.load(accepted).plan() == plan
    assert planned_jobs(accepted) == {}
    again = snakemake(accepted, "noise")
    assert "Nothing to be done" in again.stdout + again.stderr
    # A repeat that was lost is made again; with fewer seeds the report shows what there is.
    lost = next(row["key"] for row in rows if row["seed"] == "2")
    evaluation = Project.load(accepted).run(lost).evaluation
    shutil.rmtree(accepted / "store/proxy" / lost)
    shutil.rmtree(accepted / "store/evaluation" / evaluation)
    assert run(accepted, "olmix", "make", "report").returncode == 0
    assert "with 2 seeds each" in (accepted / "results/report.html").read_text()
    assert snakemake(accepted, "noise").returncode == 0
    assert found["sentences"][0] in (accepted / "results/report.html").read_text()
    dvc(accepted, "repro")
    assert "up to date" in dvc(accepted, "status")
    assert keys(accepted) == before | added
    assert f"{found['sentences'][0]}" in done.stdout + done.stderr


def test_target(project):
    """The real trainer, with a mixture of one's own beside prior and proposal."""
    (project / "even.yaml").write_text(
        yaml.safe_dump({"weights": dict.fromkeys(("code", "maths", "web:games", "web:news"), 0.25)})
    )
    run_of = {"model": MODEL, "tokens": 12_000, "seeds": 2, "mixtures": ["even.yaml"]}
    plan, before = Project.load(project).plan(), keys(project)
    change_params(project, target={"run": run_of})
    assert planned_jobs(project) == {}
    done = snakemake(project, "target")
    assert done.returncode == 0, done.stderr[-3000:]
    added = keys(project) - before
    assert len(added) == 4
    assert Project.load(project).plan() == plan
    for key in added:
        assert json.loads((project / f"store/proxy/{key}/config.json").read_text())["hidden_size"] == 48
    proofs = keys(project, "validation") - {each.key for each in plan.validation}
    assert len(proofs) == 2
    for key in proofs:
        assert json.loads((project / f"store/validation/{key}/proxy/config.json").read_text())["hidden_size"] == 48

    rows, found = table(project / "results/target.csv"), json.loads((project / "results/target.json").read_text())
    assert [(row["mixture"], row["seed"]) for row in rows] == [
        (name, seed) for name in ("prior", "even", "proposal") for seed in ("0", "1")
    ]
    assert {row["key"] for row in rows} == added | proofs
    bpb = {name: [float(r["bpb/mean"]) for r in rows if r["mixture"] == name] for name in ("prior", "even", "proposal")}
    for name, gain in found["gain_percent"].items():
        expected = 100 * (np.array(bpb["prior"]) - bpb[name]) / np.mean(bpb["prior"])
        assert gain["measured"] == pytest.approx(expected.mean())
        assert gain["standard_error"] == pytest.approx(expected.std(ddof=1) / math.sqrt(2))
    assert found["tokens"] == 12_000 // 256 * 256
    page = (project / "results/report.html").read_text()
    assert "At target size" in page
    assert "target: train" in page
    metrics = json.loads((project / "results/metrics.json").read_text())
    assert metrics["target_gain_percent"]["measured"] == pytest.approx(found["gain_percent"]["proposal"]["measured"])
    assert "At target size: measured" in run(project, "olmix", "show").stdout

    assert planned_jobs(project) == {}
    again = snakemake(project, "target")
    assert "Nothing to be done" in again.stdout + again.stderr
    # One lost run is made again alone.
    shutil.rmtree(project / "store/proxy" / sorted(added)[0])
    dry = snakemake(project, "-n", "target")
    assert "Nothing to be done" in dry.stdout + dry.stderr  # its evaluation is there


def test_memory_follows_the_model_of_a_run(project):
    big = {"layers": 8, "heads": 8, "width": 1024, "mlp_width": 4096}
    change_params(project, target={"run": {"model": big, "tokens": 12_000}})
    flow = Workflow.load(project)
    target = flow.project.target_runs(flow.plan)
    swarm, larger, proof = flow.plan.swarm[0].key, target.runs[0].key, target.proposal[0].key
    for key in (swarm, larger):
        flow.inputs_of_run(SimpleNamespace(key=key))
    flow.inputs_of_validation(SimpleNamespace(key=proof))
    proved = flow.plan.validation[0].key
    small, *others = (flow.memory(SimpleNamespace(key=key)) for key in (swarm, proved, larger, proof))
    assert others[0] == small
    assert others[1] == others[2] > 1.5 * small
    on_gpu = [flow.gpu_memory(SimpleNamespace(key=key)) for key in (swarm, larger, proof)]
    assert on_gpu[1] == on_gpu[2] > on_gpu[0]
    scored = [run.evaluation for run in (flow.plan.swarm[0], target.runs[0])]
    less, more = (flow.gpu_memory_to_score(SimpleNamespace(key=key)) for key in scored)
    assert more > less


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "params.yaml: target.run: missing"),
        ({"run": {"model": MODEL, "tokens": 100}}, "target.run.tokens: 100 is less than one batch"),
    ],
)
def test_a_target_that_cannot_be_trained_is_one_line(project, params, message):
    change_params(project, target=params)
    done = snakemake(project, "target")
    assert done.returncode == 2, done.stderr[-2000:]
    assert any(line.startswith("olmix: ") and message in line for line in done.stderr.splitlines())
    assert "Traceback" not in done.stderr
    assert planned_jobs(project) == {}
    report = run(project, "olmix", "make", "report")  # which is none of its business
    assert report.returncode == 0, report.stderr


def test_a_mixture_file_that_is_missing_is_told_at_once(project):
    change_params(project, target={"run": {"model": MODEL, "tokens": 12_000, "mixtures": ["gone.yaml"]}})
    done = snakemake(project, "target")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == "olmix: params.yaml: target.run.mixtures: gone.yaml: no such file"
