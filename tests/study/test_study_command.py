"""`olmix study`: what comes out of two tables."""

import csv
import json
import sys

import numpy as np
import pytest

from olmix.cli import main
from tests.study.swarms_of_known_laws import DOMAINS, FAMILY, bent, log_linear, mixtures, write_tables

FILES = ("study.html", "study.csv", "study.json")
QUICK = ("--families", "kernel", "--repeats", 2)


@pytest.fixture
def run_command(monkeypatch, capsys):
    """Exit code, stdout and stderr of `olmix ...`, in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["olmix", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def study(run_command, tmp_path):
    """The JSON document of a study of tables, with what was printed."""

    def run(P, Y, *options, folder="out", **arranged):
        command = write_tables(tmp_path / folder, P, Y, **arranged)
        code, out, err = run_command(*command, "--output-dir", tmp_path / folder, *options)
        assert code == 0, err
        return json.loads((tmp_path / folder / "study.json").read_text()) | {"out": out, "err": err}

    return run


def refused(run_command, tmp_path, P, Y, *options):
    code, out, err = run_command(*write_tables(tmp_path, P, Y), "--output-dir", tmp_path / "out", *options)
    assert code == 2, err
    assert not out
    assert not (tmp_path / "out").exists()
    return err.splitlines()[-1]


def test_on_a_log_linear_swarm_log_linear_laws_win_and_few_runs_suffice(study):
    P = mixtures(45)
    found = study(P, log_linear(P, noise=0.01), "--families", "log_linear,kernel,blend", "--repeats", 3)
    advice = found["recommendation"]
    assert advice["family"] == advice["family_at_half"] == "log_linear"
    assert advice["runs"] <= 20 < found["swarm"]["fitted_runs"][-1] == 30
    assert advice["granularity"] == "task"
    assert "log_linear predicts held-out runs best" in found["out"]
    assert "runs suffice" in found["out"]


def test_where_returns_diminish_the_kernel_wins(study):
    P = mixtures(45)
    found = study(P, bent(P, noise=0.01), "--families", "log_linear,kernel", "--repeats", 3)
    assert found["recommendation"]["family"] == "kernel"
    assert found["family"]["mean"]["log_linear"] > 1.3 * found["family"]["mean"]["kernel"]


def test_one_law_in_all_cannot_tell_tasks_that_pull_apart(study):
    """A mean of exponentials is no exponential: laws per task predict it, one law on it does not."""
    P = mixtures(45)
    found = study(P, log_linear(P, noise=0), "--families", "log_linear", "--repeats", 3)
    errors = found["granularity"]["mean"]
    assert list(errors) == ["task", "aggregate"]
    assert errors["aggregate"] > 2 * errors["task"]


def test_neither_the_order_of_rows_nor_that_of_columns_changes_a_byte(study, tmp_path):
    P = mixtures(20)
    Y = log_linear(P)
    options = ("--families", "log_linear,kernel,blend", "--repeats", 2)
    study(P, Y, *options, folder="a/tables")
    study(P, Y, *options, folder="b/tables", rows=np.random.default_rng(1).permutation(20), columns=[2, 0, 3, 1])
    for name in FILES:
        assert (tmp_path / "a/tables" / name).read_bytes() == (tmp_path / "b/tables" / name).read_bytes(), name


def test_more_threads_change_no_byte(study, tmp_path):
    P = mixtures(20)
    for threads in (1, 2):
        study(P, log_linear(P), *QUICK, "--threads", threads, folder=f"{threads}/tables")
    for name in FILES:
        assert (tmp_path / "1/tables" / name).read_bytes() == (tmp_path / "2/tables" / name).read_bytes(), name


def test_the_table_is_tidy(study, tmp_path):
    P = mixtures(20)
    document = study(P, log_linear(P), "--families", "log_linear,kernel", "--repeats", 3)
    with (tmp_path / "out/study.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    fitted = document["swarm"]["fitted_runs"]
    by_task = [row for row in rows if row["granularity"] == "task"]
    assert len(by_task) == 2 * len(fitted) * 3
    assert {(row["family"], int(row["runs"]), int(row["repeat"])) for row in by_task} == {
        (family, runs, repeat) for family in ("log_linear", "kernel") for runs in fitted for repeat in range(3)
    }
    assert sum(int(row["heldout"]) for row in by_task[::2] if int(row["runs"]) == fitted[0]) == 20
    assert all(float(row["runs_per_parameter"]) == pytest.approx(int(row["runs"]) / 5, rel=1e-5) for row in rows)
    at_full = [float(row["error"]) for row in by_task if int(row["runs"]) == fitted[-1] and row["family"] == "kernel"]
    assert np.mean(at_full) == pytest.approx(document["family"]["mean"]["kernel"], rel=1e-4)


def test_progress_has_a_line_per_cell_and_an_estimate(study):
    P = mixtures(20)
    found = study(P, log_linear(P), *QUICK)
    total = 2 * len(found["swarm"]["fitted_runs"]) + 1 + 2
    lines = [line for line in found["err"].splitlines() if "s left)" in line]
    assert [line.split()[0] for line in lines] == [f"{i}/{total}" for i in range(1, total + 1)]


def test_families_of_tasks_are_a_granularity(study, tmp_path):
    families = {family: [task for task, of in FAMILY.items() if of == family] for family in ("stem", "text")}
    (tmp_path / "tasks.json").write_text(json.dumps(families))
    P = mixtures(20)
    found = study(P, log_linear(P), *QUICK, "--families-of-tasks", tmp_path / "tasks.json")
    assert set(found["granularity"]["mean"]) == {"task", "family", "aggregate"}
    assert found["swarm"]["tasks"] == 4


def test_tokens_make_the_prior_and_the_caps(study, tmp_path):
    tokens = dict(zip(DOMAINS, ("50M", 30_000_000, 2e7, "0.9B"), strict=True))
    (tmp_path / "tokens.yaml").write_text(json.dumps(tokens))
    P = mixtures(20)
    options = (*QUICK, "--tokens", tmp_path / "tokens.yaml")
    without = study(P, log_linear(P), *options)["mixtures"]
    assert without["prior"] == "the shares of the tokens"
    assert {one["repetition"] for one in without["solved"]} == {None}
    capped = study(P, log_linear(P), *options, "--target-tokens", "2.2B")["mixtures"]
    by_cap = {one["repetition"]: one for one in capped["solved"] if one["kl"] == 0.05 and one["half"] == 0}
    assert by_cap.keys() == {2, 3, 4, 5, None}
    assert by_cap[2]["judged"] is None  # 2 x 1B tokens are less than 2.2B
    assert by_cap[3]["predicted"] < by_cap[None]["predicted"]


MISTAKES = {
    "an unknown family": (
        ["--families", "kernel,forest"],
        "study.families: found 'forest'; allowed: log_linear, kernel",
    ),
    "no repeats": (["--families", "kernel", "--repeats", "1"], "olmix study: repeats: found 1"),
    "caps without tokens": (["--families", "kernel", "--target-tokens", "1B"], "--tokens"),
    "a missing file": (["--families", "kernel", "--tokens", "no.yaml"], "no.yaml: no such file"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(run_command, tmp_path, name):
    options, message = MISTAKES[name]
    P = mixtures(20)
    assert message in refused(run_command, tmp_path, P, log_linear(P), *options)


def test_too_few_runs_are_one_line(run_command, tmp_path):
    P = mixtures(6)
    message = refused(run_command, tmp_path, P, log_linear(P), "--families", "kernel")
    assert message.startswith("olmix: 6 runs for 4 domains")


def test_tokens_of_other_domains_are_one_line(run_command, tmp_path):
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "tokens.yaml").write_text("{books: 1M, code: 1M, math: 1M, web: 1M}")
    P = mixtures(20)
    options = (*QUICK, "--tokens", tmp_path / "tokens.yaml")
    message = refused(run_command, tmp_path, P, log_linear(P), *options)
    assert "found no tokens of maths" in message
    assert "did you mean math?" in message


def test_what_is_left_out_is_noted(study, tmp_path):
    P = mixtures(20)
    Y = log_linear(P)
    Y[:, 1] = 0.25
    found = study(P, Y, *QUICK)
    assert found["swarm"]["tasks"] == 3
    assert any("facts: the same score in every run" in note for note in found["notes"])
    assert "the same score in every run" in (tmp_path / "out/study.html").read_text()
