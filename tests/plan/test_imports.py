import csv
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from olmix.domains.fingerprint import File, Leaf
from olmix.domains.schema import LeafSpec, Reader
from olmix.errors import InputError
from olmix.evaluation.suite import Suite, SuiteTask, Task
from olmix.plan.imports import Import, import_notes, import_runs, read_imports
from tests.miniature import build, run, write_jsonl

PUBLISHED = Path(__file__).parents[3] / "shared/data"
PROXY = "proxy-settings"


def leaf(name, content=None):
    source, _, topic = name.partition(":")
    spec = LeafSpec(source, topic or None, Reader(), ("x",), "domains")
    return Leaf(spec, (), content or f"content of {name}")


def suite_of(*tasks, version="1"):
    files = (File("x.jsonl", f"md5:{version}", "jsonl"),)
    return Suite(tuple(SuiteTask(n, "f", 1 / len(tasks), files, Task(files=["x"]), "suite") for n in sorted(tasks)))


LEAVES = [leaf(name) for name in ("code", "maths", "web:games", "web:news")]
SUITE = suite_of("easy", "hard")
MIXTURES = [
    ["run", "code", "maths", "web:games", "web:news"],
    ["a", "0.5", "0.25", "0", "0.25"],
    ["b", "0.1", "0.2", "0.3", "0.4"],
    ["c", "1", "0", "0.0", "0"],
]
SCORES = [["run", "easy", "hard"], ["a", "1.25", "2"], ["b", "0.1", "3"], ["c", "0.7", "4.5"]]


def write(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def changed(table, row, column, value):
    rows = [list(cells) for cells in table]
    rows[row][column] = value
    return rows


def with_column(table, name, values):
    return [[*cells, value] for cells, value in zip(table, [name, *values], strict=True)]


def without_column(table, name):
    j = table[0].index(name)
    return [cells[:j] + cells[j + 1 :] for cells in table]


@pytest.fixture
def adopt(tmp_path):
    """Imports two tables into tmp_path."""

    def adopt(mixtures=MIXTURES, scores=SCORES, name="other", leaves=LEAVES, suite=SUITE, proxy=PROXY):
        ratios, metrics = write(tmp_path / "ratios.csv", mixtures), write(tmp_path / "metrics.csv", scores)
        return import_runs(tmp_path, name, ratios, metrics, leaves, suite, proxy)

    return adopt


@pytest.fixture
def notes(tmp_path):
    def notes(mixtures=MIXTURES, scores=SCORES, leaves=LEAVES, suite=SUITE):
        ratios, metrics = write(tmp_path / "ratios.csv", mixtures), write(tmp_path / "metrics.csv", scores)
        return "\n".join(import_notes(ratios, metrics, leaves, suite)).replace(f"{tmp_path}/", "")

    return notes


@pytest.fixture
def read(tmp_path):
    """Reads evidence/ of tmp_path as planning does."""

    def read(leaves=LEAVES, suite=SUITE, proxy=PROXY):
        return read_imports(tmp_path / "evidence", leaves, suite, proxy)

    return read


def keys(imported):
    return {run.name: run.key for run in imported.runs}


def refused(tmp_path, action, *arguments, **named):
    """The message of the InputError, on one line, with paths relative to tmp_path; nothing may have been written."""
    before = sorted(p for p in (tmp_path / "evidence").rglob("*")) if (tmp_path / "evidence").exists() else []
    with pytest.raises(InputError) as error:
        action(*arguments, **named)
    after = sorted(p for p in (tmp_path / "evidence").rglob("*")) if (tmp_path / "evidence").exists() else []
    assert after == before
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{tmp_path}/", "")


# What an import is


def test_runs_are_mixtures_of_contents_with_scores(adopt):
    imported = adopt()
    assert isinstance(imported, Import)
    assert imported.unusable == ()
    a, _, c = imported.runs
    assert a.name == "other/a"
    assert a.mixture == {"content of code": 0.5, "content of maths": 0.25, "content of web:news": 0.25}
    assert a.scores == {"easy": 1.25, "hard": 2.0}
    assert c.mixture == {"content of code": 1.0}


def test_the_folder_holds_normalised_tables_and_pins(adopt, tmp_path):
    adopt()
    folder = tmp_path / "evidence/other"
    assert sorted(p.name for p in folder.iterdir()) == ["mixtures.csv", "pins.yaml", "scores.csv"]
    assert (folder / "mixtures.csv").read_text().splitlines()[:2] == [
        "run,code,maths,web:games,web:news",
        "a,0.5,0.25,0.0,0.25",
    ]
    assert (folder / "scores.csv").read_text().splitlines()[:2] == ["run,easy,hard", "a,1.25,2.0"]
    assert yaml.safe_load((folder / "pins.yaml").read_text()) == {
        "leaves": {x.name: x.content for x in LEAVES},
        "suite": SUITE.content,
        "proxy": PROXY,
    }
    assert [p.name for p in (tmp_path / "evidence").iterdir()] == ["other"]


def test_digests_that_look_like_numbers_are_pinned_as_text(adopt, read):
    leaves = [leaf("code", "12345678901234567890"), leaf("maths", "1e5"), leaf("web:games", "0x1"), leaf("web:news")]
    assert read(leaves, proxy="007") == ()
    imported = adopt(leaves=leaves, proxy="007")
    assert read(leaves, proxy="007") == (imported,)
    assert len(imported.runs) == 3


def test_no_folder_is_no_evidence(read):
    assert read() == ()


def test_a_readme_and_hidden_files_are_not_evidence(adopt, read, tmp_path):
    imported = adopt()
    (tmp_path / "evidence/README.md").write_text("about")
    (tmp_path / "evidence/.other.half-written").mkdir()
    assert read() == (imported,)


def test_imports_are_sorted_by_name(adopt, read):
    second = adopt(name="b", scores=changed(SCORES, 1, 1, "9"))
    first = adopt(name="a", scores=changed(SCORES, 2, 1, "9"))
    assert [x.name for x in read()] == [first.name, second.name] == ["a", "b"]


# Nothing but content determines a key

weights = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda w: sum(w) > 1e-3)
values = st.lists(st.floats(0, 1e6), min_size=3, max_size=3)


@st.composite
def swarms(draw):
    """Run ids, mixtures over LEAVES that sum to 1, scores of three tasks."""
    ids = draw(st.lists(st.from_regex(r"[a-z0-9,\" é-]*[a-z]", fullmatch=True), min_size=1, max_size=5, unique=True))
    rows = [np.array(draw(weights)) for _ in ids]
    return ids, [(row / row.sum()).tolist() for row in rows], [draw(values) for _ in ids]


def table(ids, columns, rows, order=None, column_order=None):
    order = range(len(ids)) if order is None else order
    column_order = range(len(columns)) if column_order is None else column_order
    body = [[ids[i], *(repr(rows[i][j]) for j in column_order)] for i in order]
    return [["run", *(columns[j] for j in column_order)], *body]


@settings(deadline=None, max_examples=60)
@given(swarms())
def test_what_is_imported_is_what_is_read_bit_for_bit(swarm):
    ids, mixtures, scores = swarm
    ids = [" ".join(run.split()) for run in ids]
    assume(len(set(ids)) == len(ids))
    names, tasks = [x.name for x in LEAVES], ["t0", "t1", "t2"]
    suite = suite_of(*tasks)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ratios = write(root / "r.csv", table(ids, names, mixtures))
        metrics = write(root / "m.csv", table(ids, tasks, scores))
        imported = import_runs(root, "x", ratios, metrics, LEAVES, suite, PROXY)
        assert read_imports(root / "evidence", LEAVES, suite, PROXY) == (imported,)
    assert len(imported.runs) + len(imported.unusable) == len(ids)
    for found in imported.runs:
        i = ids.index(found.name.removeprefix("x/"))
        assert found.mixture == {f"content of {n}": w for n, w in zip(names, mixtures[i], strict=True) if w > 0}
        assert found.scores == dict(zip(tasks, scores[i], strict=True))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_keys_do_not_depend_on_the_order_of_rows_and_columns_nor_on_names(data):
    ids, mixtures, scores = data.draw(swarms())
    ids = [f"r{i}" for i in range(len(ids))]
    names, tasks = [x.name for x in LEAVES], ["t0", "t1", "t2"]
    suite = suite_of(*tasks)

    def order(n):
        return data.draw(st.permutations(range(n)))

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ratios, metrics = root / "r.csv", root / "m.csv"
        write(ratios, table(ids, names, mixtures))
        write(metrics, table(ids, tasks, scores))
        first = import_runs(root / "first", "x", ratios, metrics, LEAVES, suite, PROXY)
        renamed = dict(zip(names, data.draw(st.permutations(["p", "q:r", "q:s", "t"])), strict=True))
        write(ratios, table(ids, [renamed[n] for n in names], mixtures, order(len(ids)), order(4)))
        write(metrics, table(ids, tasks, scores, order(len(ids)), order(3)))
        leaves = [leaf(renamed[x.name], x.content) for x in LEAVES]
        second = import_runs(root / "second", "y", ratios, metrics, leaves[::-1], suite, PROXY)
    assert [run.key for run in first.runs] == [run.key for run in second.runs]
    assert [run.name.replace("x/", "y/") for run in first.runs] == [run.name for run in second.runs]


@pytest.mark.parametrize(
    "change",
    [
        {"scores": changed(SCORES, 1, 1, "1.2500000000000002")},
        {"mixtures": changed(changed(MIXTURES, 1, 1, "0.4"), 1, 2, "0.35")},
        {"mixtures": [["run", "maths", "code", *MIXTURES[0][3:]], *MIXTURES[1:]]},
        {"scores": [["run", "hard", "easy"], *SCORES[1:]]},
    ],
)
def test_other_numbers_and_other_meanings_are_other_keys(adopt, change):
    assert keys(adopt(name="x", **change))["x/a"] != keys(adopt())["other/a"]


def test_the_golden_key(adopt):
    assert keys(adopt())["other/a"] == "ab711be2ab6bce8e9ad0"


# What holds today


def test_a_renamed_leaf_still_matches(adopt, read):
    imported = adopt()
    renamed = [leaf("python", "content of code"), *LEAVES[1:]]
    assert read(renamed) == (imported,)


def test_leaves_that_swap_names_still_match(adopt, read):
    imported = adopt()
    swapped = [leaf("code", "content of maths"), leaf("maths", "content of code"), *LEAVES[2:]]
    assert read(swapped) == (imported,)


def test_a_new_leaf_changes_nothing(adopt, read):
    imported = adopt()
    assert read([*LEAVES, leaf("new")]) == (imported,)


def test_a_revised_leaf_makes_only_runs_with_weight_on_it_unusable(adopt, read):
    imported = adopt()
    (found,) = read([LEAVES[0], LEAVES[1], leaf("web:games", "revised"), LEAVES[3]])
    assert found.runs == (imported.runs[0], imported.runs[2])
    assert found.unusable == (("other/b", "weight 0.3 on web:games, which had other content then"),)


def test_a_removed_leaf_makes_only_runs_with_weight_on_it_unusable(adopt, read):
    imported = adopt()
    (found,) = read([LEAVES[0], LEAVES[2]])
    assert found.runs == (imported.runs[2],)
    gone = "which is not in the domain set"
    assert found.unusable == (
        ("other/a", f"weight 0.25 on maths, {gone}; weight 0.25 on web:news, {gone}"),
        ("other/b", f"weight 0.2 on maths, {gone}; weight 0.4 on web:news, {gone}"),
    )


@pytest.mark.parametrize("today", [suite_of("easy", "hard", version="2"), suite_of("easy", "hard", "new")])
def test_another_suite_makes_the_whole_import_unusable(adopt, read, today):
    adopt()
    reason = f"all 3 runs: scored with suite {SUITE.content}, today's is {today.content}"
    assert read(suite=today) == (Import("other", (), (("other", reason),)),)


def test_families_and_weights_of_the_suite_do_not_matter(adopt, read):
    imported = adopt()
    reweighted = Suite(tuple(SuiteTask(t.name, "g", 0.1, t.files, t.task, t.where) for t in SUITE.tasks))
    assert read(suite=reweighted) == (imported,)


def test_other_proxy_settings_make_the_whole_import_unusable(adopt, read):
    adopt()
    reason = "all 3 runs: trained with proxy settings proxy-settings, today's are other"
    assert read(proxy="other") == (Import("other", (), (("other", reason),)),)


def test_all_reasons_are_told(adopt, read):
    adopt()
    ((_, reason),) = read(suite=suite_of("easy"), proxy="new")[0].unusable
    assert re.fullmatch("all 3 runs: scored with suite .*; trained with proxy settings .*", reason)


def test_a_run_that_is_there_twice_counts_once(adopt, read):
    first = adopt(name="first")
    again = adopt(name="second", mixtures=[*MIXTURES, ["d", "0", "0", "0", "1"]], scores=[*SCORES, ["d", "1", "2"]])
    assert [run.name for run in again.runs] == ["second/d"]
    reason = "has the mixture and the scores of first/{}; it counts once"
    assert again.unusable == tuple((f"second/{run}", reason.format(run)) for run in "abc")
    assert read() == (first, again)


def test_two_runs_of_one_mixture_with_different_scores_are_two_observations(adopt):
    imported = adopt([*MIXTURES, ["d", *MIXTURES[1][1:]]], [*SCORES, ["d", "1.26", "2"]])
    assert len(set(keys(imported).values())) == 4


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
    assert refused(tmp_path, attempt, tmp_path / "long.csv").startswith("long.csv: not a CSV table: field larger")


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
            "pins.yaml: file: leaves: two leaves have the same content digest",
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


# Sizes, published tables, the command


def test_a_large_import(tmp_path):
    rng = np.random.default_rng(0)
    leaves = [leaf(f"web:{i}") for i in range(64)]
    suite = suite_of(*(f"t{i}" for i in range(52)))
    ids = [f"r{i}" for i in range(500)]
    mixtures = table(ids, [x.name for x in leaves], rng.dirichlet(np.ones(64), 500).tolist())
    scores = table(ids, [x.name for x in suite.tasks], rng.random((500, 52)).tolist())
    ratios, metrics = write(tmp_path / "r.csv", mixtures), write(tmp_path / "m.csv", scores)
    import_runs(tmp_path, "big", ratios, metrics, leaves, suite, PROXY)
    (imported,) = read_imports(tmp_path / "evidence", leaves, suite, PROXY)
    assert len(imported.runs) == 500


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"needs the published swarms in {PUBLISHED}")
@pytest.mark.parametrize(
    ("ratios", "metrics", "runs", "rounded"),
    [
        ("olmix-dclm/ratios.csv", "olmix-dclm/metrics.csv", 127, False),
        ("regmix/train_mixture_1m.csv", "regmix/train_pile_loss_1m.csv", 512, True),
    ],
)
def test_published_swarms_can_be_imported(tmp_path, ratios, metrics, runs, rounded):
    def columns(path):
        with (PUBLISHED / path).open() as stream:
            return [c for c in next(csv.reader(stream)) if c not in ("", "run", "name", "index")]

    leaves = [leaf(name) for name in columns(ratios)]
    suite = suite_of(*columns(metrics))
    arguments = (PUBLISHED / ratios, PUBLISHED / metrics, leaves, suite)
    imported = import_runs(tmp_path, "published", *arguments, PROXY)
    assert len(imported.runs) == runs
    assert not imported.unusable
    assert any("renormalised" in note for note in import_notes(*arguments)) == rounded
    assert read_imports(tmp_path / "evidence", leaves, suite, PROXY) == (imported,)


@pytest.fixture
def miniature(tmp_path):
    """A miniature project with tables of three runs."""
    folder = build(tmp_path)
    write(folder / "ratios.csv", MIXTURES)
    scores = [["run", "code", "maths", "games", "news"], *([run, 1 + i, 2, 3, 4] for i, run in enumerate("abc"))]
    write(folder / "metrics.csv", scores)
    return folder


def test_the_command(miniature):
    write(miniature / "ratios.csv", without_column(changed(MIXTURES, 2, 1, "0.4"), "web:games"))
    done = run(miniature, "olmix", "import", "NAME", "--mixtures", "ratios.csv", "--scores", "metrics.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "evidence/NAME: 3 usable runs; commit the folder, `olmix plan` shows what changes\n"
    assert done.stderr.splitlines() == [
        "ratios.csv: 3 runs by column 'run', 3 leaves",
        "metrics.csv: 3 runs by column 'run', 4 tasks",
        "ratios.csv: no column for web:games: weight 0 in every run",
    ]
    assert (miniature / "evidence/NAME/pins.yaml").is_file()


def test_the_command_says_what_is_wrong(miniature):
    write_jsonl(miniature / "metrics.csv", [{"run": "a"}])
    done = run(miniature, "olmix", "import", "NAME", "--mixtures", "ratios.csv", "--scores", "metrics.csv")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("olmix: metrics.csv: no column of run ids; found ")
    assert not (miniature / "evidence/NAME").exists()
