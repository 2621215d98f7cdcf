import hashlib
import json
import os
from pathlib import Path

import pytest

from olmix.texts.build import RECIPE
from olmix.texts.documents import Document, is_heldout, make_document
from olmix.texts.items import Item
from olmix.texts.manifest import MANIFEST, verified_manifest
from olmix.texts.python_sources import code_documents
from olmix.texts.writing import write_texts

# sha256 over the files of the small build below by recipe version: other bytes need another RECIPE.
GOLDEN = {2: "9059f3ab66554fce5cffe4ceea782caf4d0d45b42cca629459218431830985c1"}
HUMANEVAL = [Item("def f(x):", "\n    return x", "problem")]


@pytest.fixture(scope="module")
def domains() -> dict[str, list[Document]]:
    """Real documents of one package, and made ones of the other kinds of text."""
    real = code_documents("networkx")
    words = [
        make_document(f"{n % 3}", f"word{n}: The definition of the word number {n}, which is like no other at all.")
        for n in range(400)
    ]
    countries = [
        make_document(
            "europe",
            f"Government: Country name: conventional short form: Land{n}\n"
            f"Government: Capital: name: Town{n}\nEconomy: Industries: mining, smelting of ore number {n}",
        )
        for n in range(36)  # all questions about them are asked
    ]
    return {**real, "factbook": countries, "dictionary": words}


def write(root: Path, domains: dict[str, list[Document]], scale: float = 1.0) -> dict:
    header = {"recipe": 1, "scale": scale, "packages": {"networkx": "1"}, "notes": []}
    return write_texts(root, domains, HUMANEVAL, scale=scale, header=header, report=lambda _: None)


def read(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, domains: dict[str, list[Document]]) -> Path:
    root = tmp_path_factory.mktemp("built")
    write(root, domains)
    return root


def test_two_builds_are_byte_identical_whatever_the_workers_and_the_leftovers(
    tmp_path: Path, built: Path, domains: dict[str, list[Document]], monkeypatch: pytest.MonkeyPatch
) -> None:
    left_over = [tmp_path / "data/texts/old/part.jsonl", tmp_path / "data/suite/.humaneval.jsonl.9.partial"]
    for path in left_over:
        path.parent.mkdir(parents=True)
        path.write_text("half a li")
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    write(tmp_path, domains)
    assert contents(tmp_path) == contents(built)
    assert not (tmp_path / "data/texts/old").exists()


def test_other_bytes_have_another_recipe_version(tmp_path: Path, domains: dict[str, list[Document]]) -> None:
    manifest = write(tmp_path, {name: domains[name] for name in ("factbook", "dictionary")})
    assert hashlib.sha256(json.dumps(manifest["files"], sort_keys=True).encode()).hexdigest() == GOLDEN[RECIPE]


def test_a_moved_document_changes_its_partition_and_nothing_else(
    tmp_path: Path, built: Path, domains: dict[str, list[Document]]
) -> None:
    moved = [make_document("moved", document.text) for document in domains["dictionary"]]
    write(tmp_path, {**domains, "dictionary": moved})
    old, new = contents(built), contents(tmp_path)
    assert {name for name in old.keys() & new.keys() if old[name] != new[name]} == {
        MANIFEST,
        "data/heldout/dictionary.jsonl",  # it names the partition
    }
    before = [record["id"] for record in read(built / "data/heldout/dictionary.jsonl")]
    assert before == [record["id"] for record in read(tmp_path / "data/heldout/dictionary.jsonl")]
    assert len(before) > 5


def test_files_hold_the_form_that_readers_expect(built: Path) -> None:
    for path in (built / "data/texts").rglob("*.jsonl"):
        records = read(path)
        assert records
        assert all(record.keys() == {"id", "text"} for record in records)
        assert [record["id"] for record in records] == sorted({record["id"] for record in records})
    assert all(record.keys() == {"id", "sub", "text"} for record in read(built / "data/heldout/python.jsonl"))
    suite = [record for path in (built / "data/suite").iterdir() for record in read(path)]
    assert all(record.keys() == {"id", "context", "continuation"} for record in suite)
    assert all(record["context"] and record["continuation"] for record in suite)
    assert len({record["id"] for record in suite}) == len(suite)


def test_the_sides_are_those_of_the_content_and_do_not_mix(built: Path, domains: dict[str, list[Document]]) -> None:
    heldout = {record["text"] for record in read(built / "data/heldout/dictionary.jsonl")}
    assert heldout == {document.text for document in domains["dictionary"] if is_heldout(document)}
    for domain in domains:
        training = "\n".join(
            record["text"] for path in (built / "data/texts" / domain).iterdir() for record in read(path)
        )
        assert not any(record["text"] in training for record in read(built / f"data/heldout/{domain}.jsonl"))


def test_items_come_from_held_out_documents_and_facts_from_training(built: Path) -> None:
    heldout = {record["text"] for record in read(built / "data/heldout/dictionary.jsonl")}
    asked = {record["context"] + record["continuation"] for record in read(built / "data/suite/definitions.jsonl")}
    assert asked == heldout
    known = {
        record["text"].split("\n")[0].split(": ")[-1] for record in read(built / "data/texts/factbook/europe.jsonl")
    }
    questions = read(built / "data/suite/facts.jsonl")
    assert {
        record["context"].split(" is")[0].split()[-1] for record in questions if "capital" in record["context"]
    } == known
    assert read(built / "data/suite/humaneval.jsonl")[0]["continuation"] == "\n    return x"


def test_an_item_that_occurs_in_training_text_of_another_domain_is_dropped(
    tmp_path: Path, domains: dict[str, list[Document]]
) -> None:
    definitions = [document for document in domains["dictionary"] if is_heldout(document)]
    copied = definitions[0].text.split(":", 1)[1]
    spoiled = next(
        document
        for number in range(100)
        if not is_heldout(document := make_document("x", f"Speech {number}, quoting a dictionary:{copied}\nThank you."))
    )
    write(tmp_path, {**domains, "speeches": [spoiled]})
    asked = {record["continuation"] for record in read(tmp_path / "data/suite/definitions.jsonl")}
    assert copied not in asked
    assert len(asked) == len(definitions) - 1


def test_scale_takes_a_share_of_every_domain(tmp_path: Path, domains: dict[str, list[Document]]) -> None:
    whole = {name: len(documents) for name, documents in domains.items()}
    manifest = write(tmp_path, domains, scale=0.3)
    for name, entry in manifest["domains"].items():
        kept = entry["train"]["documents"] + entry["heldout"]["documents"]
        assert 0.1 < kept / whole[name] < 0.45
    ids = {record["id"] for path in (tmp_path / "data/texts/dictionary").iterdir() for record in read(path)}
    assert ids < {make_document("", document.text).id for document in domains["dictionary"]}


def test_the_manifest_vouches_for_every_file(tmp_path: Path, domains: dict[str, list[Document]]) -> None:
    small = {"dictionary": domains["dictionary"]}
    manifest = write(tmp_path, small)
    identity = {"recipe": 1, "scale": 1.0, "packages": {"networkx": "1"}}
    assert set(manifest["files"]) == contents(tmp_path).keys() - {MANIFEST}
    assert verified_manifest(tmp_path, identity) == manifest
    for name, other in (("recipe", 2), ("scale", 0.5), ("packages", {"networkx": "2"})):
        assert verified_manifest(tmp_path, {**identity, name: other}) is None
    path = tmp_path / "data/texts/dictionary/1.jsonl"
    data = path.read_bytes()
    for spoiled in (data[:-1], data.replace(b"definition", b"definitioN", 1)):
        path.write_bytes(spoiled)
        assert verified_manifest(tmp_path, identity) is None
    path.unlink()
    assert verified_manifest(tmp_path, identity) is None
    path.write_bytes(data)
    assert verified_manifest(tmp_path, identity) == manifest
    (tmp_path / MANIFEST).write_text("{")
    assert verified_manifest(tmp_path, identity) is None


def test_a_killed_build_leaves_no_manifest(tmp_path: Path, domains: dict[str, list[Document]]) -> None:
    small = {"dictionary": domains["dictionary"]}
    write(tmp_path, small)

    def kill(line: str) -> None:
        if "choosing" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_texts(tmp_path, small, [], scale=1.0, header={}, report=kill)
    assert not (tmp_path / MANIFEST).exists()
    assert all(read(path) for path in (tmp_path / "data/texts").rglob("*.jsonl"))
