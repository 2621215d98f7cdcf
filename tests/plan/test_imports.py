import csv
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from olmix.evaluation.suite import Suite, SuiteTask
from olmix.plan.imports import Import, import_notes, import_runs, read_imports
from tests.miniature import build, run, write_jsonl
from tests.plan.generations import leaf
from tests.plan.import_tables import (
    LEAVES,
    MIXTURES,
    PROXY,
    SCORES,
    SUITE,
    changed,
    keys,
    suite_of,
    without_column,
    write,
)

PUBLISHED = Path(__file__).parents[3] / "shared/data"


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
