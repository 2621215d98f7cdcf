"""`olmix predict`: scores that fitted laws expect of mixtures."""

import csv

import numpy as np
import pytest

from tests.interop.small_swarm import DOMAINS, TASKS, build, fit, mixtures, run_command, scores, write_csv


@pytest.fixture
def files(tmp_path):
    return build(tmp_path).change(regression={"penalty": 0})


@pytest.fixture
def predict(files, monkeypatch, capsys):
    """Runs the command on rows of cells; exit code, stderr and the rows that it wrote."""

    def run(header, rows, law="out"):
        write_csv(files.folder / "asked.csv", header, rows)
        output = files.folder / "new/predicted.csv"
        arguments = ("--law", files.folder / law, "--ratios", files.folder / "asked.csv", "--output", output)
        code, _, err = run_command(monkeypatch, capsys, "predict", *arguments)
        written = list(csv.reader(output.open(newline=""))) if output.exists() else None
        return code, err, written

    return run


def numbers(written):
    return np.array([[float(cell) for cell in row[1:]] for row in written[1:]])


def test_one_column_per_task_and_rows_as_asked(files, predict):
    fit(files)
    P = mixtures(7, seed=4)
    ids = [f"mix {k}" for k in range(7)][::-1]
    code, err, written = predict(["run", *DOMAINS], [[run, *p] for run, p in zip(ids, P, strict=True)])
    assert code == 0, err
    assert written[0] == ["run", *TASKS]
    assert [row[0] for row in written[1:]] == ids
    assert numbers(written) == pytest.approx(scores(P), abs=1e-4)


def test_columns_have_no_order_and_labels_do_not_count(files, predict):
    fit(files)
    P = mixtures(3, seed=4)
    header = ["", "name", "run_id", "web", "books", "code"]
    rows = [[k, "x", f"r{k}", *P[k, [2, 0, 1]]] for k in range(3)]
    _, _, shuffled = predict(header, rows)
    _, _, straight = predict(["run", *DOMAINS], [[f"r{k}", *P[k]] for k in range(3)])
    assert shuffled == straight


def test_the_law_folder_itself_will_do(files, predict):
    fit(files)
    code, err, _ = predict(["run", *DOMAINS], [["a", 1, 0, 0]], law="out/law")
    assert code == 0, err


def test_rounded_mixtures_are_renormalised(files, predict):
    fit(files)
    code, err, written = predict(["run", *DOMAINS], [["a", 0.2, 0.3, 0.497]])
    assert code == 0
    assert "sum to 0.997 to 0.997: renormalised" in err
    assert numbers(written) == pytest.approx(scores(np.array([[0.2, 0.3, 0.497]]) / 0.997), abs=1e-4)


@pytest.mark.parametrize("family", ["log_linear", "ridge", "search", "gp", "auto"])
def test_laws_of_every_family_are_read_back(files, predict, family):
    from olmix.regression.families import FAMILIES

    if family not in FAMILIES:
        pytest.skip(f"no family {family}")
    files.config["regression"] = {"type": family}
    files.config["proposer"] = {"fit_only": True}
    found = fit(files)
    P = mixtures()
    code, err, written = predict(["run", *DOMAINS], [[f"r{k}", *P[k]] for k in range(len(P))])
    assert code == 0, err
    errors = np.abs(numbers(written) - scores(P)).mean(axis=0)
    assert errors == pytest.approx([found.fit["tasks"][task]["train"]["mae"] for task in TASKS], rel=1e-6, abs=1e-12)


MISTAKES = {
    "a domain without a column": (["run", "books", "code"], [["a", 0.5, 0.5]], "no column for web; found books, code"),
    "a sum of .9": (["run", *DOMAINS], [["a", 0.5, 0.2, 0.2]], "run 'a': weights sum to 0.9; allowed: 1, within 0.01"),
    "a weight that is no number": (["run", *DOMAINS], [["a", "x", 0.5, 0.5]], "run 'a', column 'books': found 'x'"),
    "weight on what is no domain": (
        ["run", *DOMAINS, "forum"],
        [["a", 0.2, 0.2, 0.2, 0.4]],
        "run 'a', column 'forum': found weight 0.4 on what is no domain; allowed: weight on books, code, web",
    ),
    "a run twice": (["run", *DOMAINS], [["a", 1, 0, 0]] * 2, "run 'a' is given twice, in lines 2 and 3"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_the_table(files, predict, name):
    fit(files)
    header, rows, message = MISTAKES[name]
    code, err, written = predict(header, rows)
    assert code == 2
    assert message in err
    assert written is None


def test_a_folder_without_laws(files, predict):
    code, err, _ = predict(["run", *DOMAINS], [["a", 1, 0, 0]], law="nowhere")
    assert code == 2
    assert "found no law/law.json; allowed: an output folder of `olmix fit`" in err


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"regression": "oracle", "domains": ["a"], "tasks": {"b": {}}}'])
def test_a_law_that_is_none(files, predict, content):
    (files.folder / "out").mkdir()
    (files.folder / "out/law.json").write_text(content)
    code, err, _ = predict(["run", *DOMAINS], [["a", 1, 0, 0]])
    assert code == 2
    assert "law.json: " in err
    assert "Traceback" not in err
