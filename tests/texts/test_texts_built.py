"""Statements about the default texts as built into the project; skipped where they are not built."""

import hashlib
import json
import re
import time
from pathlib import Path

import pytest

from olmix.texts.build import RECIPE, build
from olmix.texts.documents import DOMAINS
from olmix.texts.leaks import occurring
from olmix.texts.manifest import MANIFEST

ROOT = Path(__file__).parents[2]
# sha256 over the manifest's list of files by recipe version, for the package versions that the recipe was written
# for and the CPU build of torch (other builds may come with other headers).
GOLDEN = {2: "2425d96959ef7a3c5788cf342b3f5d299aa39d42f3165f317fe7075a06c25e2e"}

pytestmark = pytest.mark.skipif(not (ROOT / MANIFEST).exists(), reason="the default texts are not built (make run)")


def read(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def manifest() -> dict:
    manifest = json.loads((ROOT / MANIFEST).read_text(encoding="utf-8"))
    if manifest["scale"] != 1.0 or manifest["notes"] or manifest["recipe"] != RECIPE:
        pytest.skip("the texts were built at another scale, from other package versions or by another recipe")
    return manifest


@pytest.fixture(scope="module")
def training() -> dict[str, list[str]]:
    return {
        domain: [record["text"] for path in sorted((ROOT / "data/texts" / domain).iterdir()) for record in read(path)]
        for domain in DOMAINS
    }


@pytest.fixture(scope="module")
def suite(manifest: dict) -> dict[str, list[dict]]:
    return {task: read(ROOT / f"data/suite/{task}.jsonl") for task in manifest["tasks"]}


def test_the_bytes_are_those_of_the_recipe_version(manifest: dict) -> None:
    if not manifest["packages"]["torch"].endswith("+cpu"):
        pytest.skip("recorded for the CPU build of torch")
    assert hashlib.sha256(json.dumps(manifest["files"], sort_keys=True).encode()).hexdigest() == GOLDEN[RECIPE]


def test_building_again_does_nothing_and_is_quick(manifest: dict) -> None:
    before = (ROOT / MANIFEST).stat().st_mtime_ns
    start = time.perf_counter()
    assert build(ROOT, report=lambda _: None) == manifest
    assert time.perf_counter() - start < 1.5
    assert (ROOT / MANIFEST).stat().st_mtime_ns == before


def test_sizes_are_as_unequal_as_they_come(manifest: dict, training: dict[str, list[str]]) -> None:
    megabytes = {domain: sum(len(text.encode()) for text in texts) / 1e6 for domain, texts in training.items()}
    expected = dict(zip(DOMAINS, (19.3, 33.6, 16.4, 9.4, 4.4, 11.4, 6.6, 11.6, 4.0, 4.0), strict=True))
    assert megabytes == pytest.approx(expected, rel=0.05)
    for domain, texts in training.items():
        entry = manifest["domains"][domain]
        assert entry["train"] == {"documents": len(texts), "bytes": sum(len(text.encode()) for text in texts)}
        assert 0.02 < entry["heldout"]["documents"] / len(texts) < 0.09


def test_partitions_are_there(manifest: dict) -> None:
    parts = {domain: len(list((ROOT / "data/texts" / domain).iterdir())) for domain in DOMAINS}
    assert parts == {domain: entry["subs"] for domain, entry in manifest["domains"].items()}
    assert (parts["factbook"], parts["medical"], parts["speeches"], parts["python"]) == (12, 22, 3, 5)
    assert parts["cpp"] > 40
    assert parts["math"] > 35


def test_no_text_is_twice_and_none_is_on_both_sides(training: dict[str, list[str]]) -> None:
    texts = [text for domain in training.values() for text in domain]
    assert len(set(texts)) == len(texts)
    assert min(map(len, texts)) >= 40
    for domain, documents in training.items():
        lines = {line.strip() for text in documents for line in text.split("\n")}
        heldout = [record["text"] for record in read(ROOT / f"data/heldout/{domain}.jsonl")]
        assert set(texts).isdisjoint(heldout)
        # A document inside a training document would have no line of its own.
        assert all(any(line.strip() not in lines for line in text.split("\n")) for text in heldout)


def test_every_task_has_enough_sound_items(suite: dict[str, list[dict]]) -> None:
    assert len(suite) == 13
    for items in suite.values():
        assert len(items) == 75
        for item in items:
            assert item["continuation"][0].isspace()
            assert item["continuation"].strip()
            assert item["context"].strip()
            assert not item["context"][-1].isspace()
            assert len(item["context"].encode()) <= 600
            assert len(item["continuation"].encode()) <= 256
    ids = [item["id"] for items in suite.values() for item in items]
    assert len(set(ids)) == len(ids)


def test_what_is_asked_does_not_occur_in_training_text(
    suite: dict[str, list[dict]], training: dict[str, list[str]]
) -> None:
    golds = [item["continuation"].encode() for task in suite.keys() - {"facts", "humaneval"} for item in suite[task]]
    windows = {gold[:48] for gold in golds if len(gold) >= 48}
    assert len(windows) > 600  # of 75 items in each of 11 tasks, those that are long enough
    for texts in training.values():
        assert occurring(windows, "\n".join(texts).encode()) == set()


def test_facts_are_about_countries_in_training_in_words_that_are_not(
    suite: dict[str, list[dict]], training: dict[str, list[str]]
) -> None:
    factbook = training["factbook"]
    for item in suite["facts"]:
        assert not any(item["context"] in text for text in factbook)
        # Word by word, since remarks in brackets are left out of the answer.
        words = re.findall(r"[^\s,;]+", item["continuation"])
        assert any(all(word in text for word in words) for text in factbook)
