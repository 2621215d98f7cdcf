"""A user's mistake ends Snakemake too with one line and exit code 2; all mistakes are in tests/mistakes."""

import shutil

import pytest

from tests.miniature import build, change_params, run, snakemake, write_jsonl


@pytest.fixture
def fresh(tmp_path):
    folder = tmp_path / "fresh"
    folder.mkdir()
    return build(folder)


@pytest.fixture
def untrained(project):
    """The miniature with its tokens and nothing after them."""
    for made in (*(project / "store").iterdir(), project / "results"):
        if made.name not in ("tokens", "items"):
            shutil.rmtree(made)
    return project


KNOWN_BEFORE_ANY_JOB = {
    "a missing data file": (
        lambda p: (p / "data/texts/code.jsonl").unlink(),
        "domains/code.yaml: files: 'data/texts/code.jsonl'",
    ),
    "broken YAML": (
        lambda p: (p / "domains/code.yaml").write_text("files: [a\n"),
        "domains/code.yaml:2: not valid YAML",
    ),
    "an item file missing": (lambda p: (p / "data/suite/news.jsonl").unlink(), "families.general.tasks.news.files"),
}

FOUND_BY_A_JOB = {
    "caps below one": (
        lambda p: change_params(p, target={"tokens": 10_000_000}),
        "target.tokens: 10,000,000 cannot be met",
    ),
    "not UTF-8": (
        lambda p: (p / "data/texts/code.jsonl").write_bytes(b'{"text": "caf\xe9"}\n'),
        "code.jsonl: line 1: byte 13 is not UTF-8",
    ),
    "a leaf of a few tokens": (
        lambda p: write_jsonl(p / "data/texts/code.jsonl", [{"text": "def"}]),
        "code has",
    ),
    "an item without continuation": (
        lambda p: write_jsonl(p / "data/suite/code.jsonl", [{"context": "x"}]),
        "code.jsonl: row 1: field 'continuation' is absent",
    ),
    "another tokenizer": (
        lambda p: change_params(p, tokenizer={"digest": "0" * 20}),
        "tokenizer.digest: found 00000000000000000000, but the tokenizer at tokenizer has",
    ),
}


@pytest.mark.parametrize("name", KNOWN_BEFORE_ANY_JOB)
def test_mistakes_known_before_any_job(fresh, name):
    mistake, message = KNOWN_BEFORE_ANY_JOB[name]
    mistake(fresh)
    for done in (run(fresh, "olmix", "plan"), snakemake(fresh)):
        assert done.returncode == 2, done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("olmix: ")
        assert message in last
        assert "Traceback" not in done.stderr
    assert not (fresh / "store").exists()


@pytest.mark.parametrize("name", FOUND_BY_A_JOB)
def test_mistakes_that_only_a_job_can_find(untrained, name):
    mistake, message = FOUND_BY_A_JOB[name]
    mistake(untrained)
    done = snakemake(untrained)
    assert done.returncode == 2, done.stderr[-2000:]
    assert any(line.startswith("olmix: ") and message in line for line in done.stderr.splitlines()), done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert not (untrained / "store/proxy").exists()


def test_a_mistake_that_was_mended_is_not_reported_again(untrained):
    change_params(untrained, target={"tokens": 10_000_000})
    assert snakemake(untrained, "planned").returncode == 2
    change_params(untrained, target={"tokens": 30_000})
    assert snakemake(untrained, "planned").returncode == 0
