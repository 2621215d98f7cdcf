"""What a user's tables and the files of an import may hold, and the one line that says what is wrong."""

import pytest

from olmix.plan.imports import import_runs
from tests.plan.generations import leaf
from tests.plan.import_tables import (
    LEAVES,
    MIXTURES,
    PROXY,
    SCORES,
    SUITE,
    changed,
    refused,
    suite_of,
    with_column,
    without_column,
    write,
)

# Users' tables


@pytest.mark.parametrize("first", ["run", "index", "", "Unnamed: 0"])
def test_run_ids_are_in_run_or_in_a_first_column_that_numbers_the_rows(adopt, notes, first):
    mixtures, scores = changed(MIXTURES, 0, 0, first), changed(SCORES, 0, 0, first)
    assert [run.name for run in adopt(mixtures, scores).runs] == ["other/a", "other/b", "other/c"]
    assert f"ratios.csv: 3 runs by column {first!r}, 4 leaves" in notes(mixtures, scores)


def test_the_authors_layout(adopt, notes, tmp_path):
    def layout(table):
        labels = [
            ["", "run", "name", "index"],
            *([str(i), row[0], "a-name", str(i)] for i, row in enumerate(table[1:])),
        ]
        return [[*label, *row[1:]] for label, row in zip(labels, table, strict=True)]

    plain = adopt()
    (tmp_path / "evidence/other").rename(tmp_path / "plain")
    assert adopt(layout(MIXTURES), layout(SCORES)) == plain
    said = notes(layout(MIXTURES), layout(SCORES))
    assert "ratios.csv: 3 runs by column 'run', 4 leaves" in said
    assert "metrics.csv: 3 runs by column 'run', 2 tasks" in said
    assert "ratios.csv: ignored columns: '', 'name', 'index'" in said


def test_rows_are_joined_by_run_and_not_by_position(adopt):
    imported = adopt(scores=[SCORES[0], *SCORES[:0:-1]])
    assert [run.scores["hard"] for run in imported.runs] == [2, 3, 4.5]


def test_byte_order_mark_spaces_and_empty_lines(tmp_path):
    ratios, metrics = tmp_path / "r.csv", tmp_path / "m.csv"
    ratios.write_text("\ufeffrun, code , maths\r\n a , 0.5, 0.5\r\n\r\n", newline="")
    metrics.write_text("run,easy,hard\na,1,2\n\n")
    imported = import_runs(tmp_path, "x", ratios, metrics, LEAVES, SUITE, PROXY)
    assert [(run.name, run.mixture) for run in imported.runs] == [
        ("x/a", {"content of code": 0.5, "content of maths": 0.5})
    ]


def test_a_leaf_without_a_column_has_weight_zero_and_that_is_said(adopt, notes, read):
    mixtures = [["run", "code", "maths"], ["a", "0.5", "0.5"], ["b", "1", "0"], ["c", "0.25", "0.75"]]
    imported = adopt(mixtures)
    assert "ratios.csv: no column for web:games, web:news: weight 0 in every run" in notes(mixtures)
    assert read([LEAVES[0], LEAVES[1], leaf("other")]) == (imported,)


def test_columns_without_weight_and_other_scores_are_ignored_and_that_is_said(adopt, notes):
    mixtures = with_column(MIXTURES, "old", ["0", "0.0", ""])
    scores = with_column(with_column(SCORES, "name", ["x", "y", "z"]), "mmlu", ["nan", "", "1"])
    assert len(adopt(mixtures, scores).runs) == 3
    assert "ratios.csv: ignored columns: 'old'" in notes(mixtures, scores)
    assert "metrics.csv: ignored columns: 'name', 'mmlu'" in notes(mixtures, scores)


@pytest.mark.parametrize("weight", ["0.246", "0.253"])
def test_rounded_mixtures_are_renormalised_and_that_is_said(adopt, notes, weight):
    mixtures = changed(MIXTURES, 1, 4, weight)
    run = adopt(mixtures).runs[0]
    total = 0.75 + float(weight)
    assert run.mixture["content of code"] == pytest.approx(0.5 / total, abs=1e-15)
    assert sum(run.mixture.values()) == pytest.approx(1, abs=1e-15)
    said = f"ratios.csv: renormalised 1 runs whose weights summed to {total:.6g} to {total:.6g}: a"
    assert said in notes(mixtures)


def test_exact_mixtures_are_left_alone(notes):
    assert "renormalised" not in notes()
    assert "ignored" not in notes()
    assert "no column" not in notes()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"mixtures": changed(MIXTURES, 1, 4, "0.2459")},
            "ratios.csv: run 'a': weights sum to 0.9959; allowed: 1, or 0.996 to 1.003 where weights were rounded",
        ),
        (
            {"mixtures": changed(MIXTURES, 1, 4, "0.2531")},
            "ratios.csv: run 'a': weights sum to 1.0031; allowed: 1, or 0.996 to 1.003 where weights were rounded",
        ),
        (
            {"mixtures": changed(MIXTURES, 2, 3, "-0.3")},
            "ratios.csv: run 'b', column 'web:games': found '-0.3'; allowed: a finite number, at least 0",
        ),
        (
            {"mixtures": changed(MIXTURES, 2, 3, "")},
            "ratios.csv: run 'b', column 'web:games': found ''; allowed: a finite number, at least 0",
        ),
        (
            {"mixtures": changed(MIXTURES, 3, 1, "inf")},
            "ratios.csv: run 'c', column 'code': found 'inf'; allowed: a finite number, at least 0",
        ),
        (
            {"mixtures": changed(MIXTURES, 0, 1, "cod")},
            "ratios.csv: run 'a', column 'cod': found '0.5' for what is no leaf today; "
            "allowed: code, maths, web:games, web:news",
        ),
        (
            {"mixtures": with_column(MIXTURES, "comment", ["", "good", ""])},
            "ratios.csv: run 'b', column 'comment': found 'good' for what is no leaf today; "
            "allowed: code, maths, web:games, web:news",
        ),
        (
            {"mixtures": changed(MIXTURES, 0, 2, "code")},
            "ratios.csv: column 'code' is given twice; allowed: once",
        ),
        (
            {"mixtures": changed(MIXTURES, 3, 0, "a")},
            "ratios.csv: run 'a' is given twice, in lines 2 and 4; allowed: once",
        ),
        (
            {"mixtures": changed(MIXTURES, 3, 0, " ")},
            "ratios.csv: line 4, column 'run': found ''; allowed: a run id",
        ),
        (
            {"mixtures": changed(MIXTURES, 3, 0, "a\nb")},
            "ratios.csv: line 5, column 'run': found 'a\\nb'; allowed: a run id",
        ),
        (
            {"mixtures": [*MIXTURES[:3], ["c", "1"]]},
            "ratios.csv: line 4: found 2 cells; allowed: 5, as in the header",
        ),
        (
            {"mixtures": changed(MIXTURES, 0, 0, "id")},
            "ratios.csv: no column of run ids; found id, code, maths, web:games, web:news; "
            "allowed: a column named run, or a first column that is unnamed or named index",
        ),
        ({"mixtures": MIXTURES[:1]}, "ratios.csv: found no run; allowed: a line per run"),
        ({"mixtures": []}, "ratios.csv: found nothing; allowed: a header and a line per run"),
        (
            {"mixtures": MIXTURES[:2]},
            "ratios.csv: no row for b, c of metrics.csv; allowed: the same runs in both files",
        ),
        (
            {"scores": SCORES[:3]},
            "metrics.csv: no row for c of ratios.csv; allowed: the same runs in both files",
        ),
        (
            {"scores": [*SCORES, SCORES[1]]},
            "metrics.csv: run 'a' is given twice, in lines 2 and 5; allowed: once",
        ),
        (
            {"scores": without_column(SCORES, "hard")},
            "metrics.csv: no column for hard; allowed: a column for every task of the suite, easy, hard",
        ),
        (
            {"scores": changed(SCORES, 2, 2, "nan")},
            "metrics.csv: run 'b', column 'hard': found 'nan'; allowed: a finite number, at least 0",
        ),
        (
            {"scores": changed(SCORES, 2, 2, "1_000")},
            "metrics.csv: run 'b', column 'hard': found '1_000'; allowed: a finite number, at least 0",
        ),
        (
            {"scores": changed(SCORES, 1, 1, "-1")},
            "metrics.csv: run 'a', column 'easy': found '-1'; allowed: a finite number, at least 0",
        ),
        (
            {"name": "../x"},
            "NAME: found '../x'; allowed: letters, digits and _ . + -, beginning with a letter or digit",
        ),
        (
            {"leaves": [*LEAVES, leaf("run")]},
            "a leaf is named 'run', which is the column of run ids; give the leaf another name",
        ),
        (
            {"suite": suite_of("easy", "run")},
            "a task is named 'run', which is the column of run ids; give the task another name",
        ),
    ],
)
def test_mistakes_in_tables_are_one_line(adopt, tmp_path, tables, message):
    assert refused(tmp_path, adopt, **tables) == message


def test_many_missing_runs_are_not_all_spelt_out(adopt, tmp_path):
    mixtures = [MIXTURES[0], *([f"r{i:02d}", "1", "0", "0", "0"] for i in range(30))]
    message = refused(tmp_path, adopt, mixtures, [SCORES[0], ["r00", "1", "1"]])
    assert ", ".join(f"r{i:02d}" for i in range(1, 11)) + " and 19 more of ratios.csv" in message


def test_files_that_are_no_tables(tmp_path):
    metrics = write(tmp_path / "metrics.csv", SCORES)

    def attempt(mixtures):
        import_runs(tmp_path, "x", mixtures, metrics, LEAVES, SUITE, PROXY)

    assert refused(tmp_path, attempt, tmp_path / "absent.csv") == "absent.csv: no such file"
    (tmp_path / "folder.csv").mkdir()
    assert refused(tmp_path, attempt, tmp_path / "folder.csv") == "folder.csv: found a folder; allowed: a CSV file"
    (tmp_path / "latin.csv").write_bytes(b"run,code\ncaf\xe9,1\n")
    assert refused(tmp_path, attempt, tmp_path / "latin.csv") == "latin.csv: byte 12 is not UTF-8"
    (tmp_path / "long.csv").write_text("run,code\na," + "1" * 200_000)
    assert refused(tmp_path, attempt, tmp_path / "long.csv").startswith(
        "long.csv: line 2: not a CSV table: field larger"
    )


def test_a_taken_name_is_refused(adopt, tmp_path):
    adopt()
    message = "evidence/other: exists already; remove the folder first, or choose another name"
    assert refused(tmp_path, adopt) == message


def test_a_failed_import_leaves_nothing(adopt, tmp_path):
    refused(tmp_path, adopt, scores=SCORES[:2])
    assert not (tmp_path / "evidence").exists()


# Damaged folders


def damage(tmp_path, file, old, new):
    path = tmp_path / "evidence/other" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("mixtures.csv", "a,0.5", "a,0.6", "mixtures.csv: run 'a': weights sum to 1.1; allowed: 1"),
        (
            "mixtures.csv",
            "a,0.5",
            "a,half",
            "mixtures.csv: run 'a', column 'code': found 'half'; allowed: a finite number, at least 0",
        ),
        (
            "mixtures.csv",
            "maths",
            "mathematics",
            "mixtures.csv: no column for maths; allowed: a column for every leaf of pins.yaml",
        ),
        (
            "pins.yaml",
            "  maths: content of maths\n",
            "",
            "mixtures.csv: column 'maths' is no leaf of pins.yaml; allowed: code, web:games, web:news",
        ),
        (
            "pins.yaml",
            "content of maths",
            "content of code",
            "pins.yaml: leaves: two leaves have the same content digest",
        ),
        ("pins.yaml", f"proxy: {PROXY}\n", "", "pins.yaml: proxy: required field is missing"),
        (
            "pins.yaml",
            "proxy:",
            "model:",
            "pins.yaml: proxy: required field is missing",
        ),
        (
            "scores.csv",
            "c,0.7",
            "d,0.7",
            "mixtures.csv: no row for d of evidence/other/scores.csv; allowed: the same runs in both files",
        ),
        (
            "scores.csv",
            "hard",
            "harder",
            "scores.csv: no column for hard; allowed: a column for every task of the suite",
        ),
        (
            "scores.csv",
            "2.0",
            "-2.0",
            "scores.csv: run 'a', column 'hard': found '-2.0'; allowed: a finite number, at least 0",
        ),
    ],
)
def test_a_damaged_import_is_one_line(adopt, read, tmp_path, file, old, new, message):
    adopt()
    damage(tmp_path, file, old, new)
    assert refused(tmp_path, read) == f"evidence/other/{message}"


def test_a_damaged_import_is_an_error_whether_it_is_usable_or_not(adopt, read, tmp_path):
    adopt()
    damage(tmp_path, "scores.csv", "2.0", "nan")
    assert "found 'nan'" in refused(tmp_path, read, suite=suite_of("other"), proxy="other")


def test_an_extra_column_of_scores_is_an_error(adopt, read, tmp_path):
    adopt()
    write(tmp_path / "evidence/other/scores.csv", with_column(SCORES, "more", "123"))
    message = "evidence/other/scores.csv: column 'more' is no task of the suite; allowed: easy, hard"
    assert refused(tmp_path, read) == message


@pytest.mark.parametrize("file", ["mixtures.csv", "scores.csv", "pins.yaml"])
def test_a_missing_file_is_an_error(adopt, read, tmp_path, file):
    adopt()
    (tmp_path / "evidence/other" / file).unlink()
    assert refused(tmp_path, read) == f"evidence/other/{file}: no such file"


def test_a_stray_file_is_an_error(read, tmp_path):
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/ratios.csv").write_text("run,code\n")
    message = "evidence/ratios.csv: found a file; allowed: folders that `olmix import` writes, and README.md"
    assert refused(tmp_path, read) == message


def test_a_damaged_neighbour_is_found_before_anything_is_written(adopt, tmp_path):
    adopt()
    damage(tmp_path, "mixtures.csv", "a,0.5", "a,0.6")
    assert "evidence/other/mixtures.csv" in refused(tmp_path, adopt, name="second")
