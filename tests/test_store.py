import json
import threading

import pytest

from olmix.errors import WorkError
from olmix.store import MANIFEST, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def put(store, key="k", text="payload"):
    with store.publish("kind", key) as draft:
        (draft.path / "a.txt").write_text(text)
        draft.inputs = {"from": "somewhere"}


def test_a_published_artefact_is_complete_and_verified(store):
    put(store)
    assert store.has("kind", "k")
    manifest = store.manifest("kind", "k")
    assert manifest["inputs"] == {"from": "somewhere"}
    assert manifest["files"]["a.txt"]["size"] == 7
    assert store.file("kind", "k", "a.txt").read_text() == "payload"
    assert not any((store.root / ".partial").iterdir())


def test_a_failing_writer_leaves_nothing(store):
    with pytest.raises(RuntimeError), store.publish("kind", "k") as draft:  # noqa: PT012
        (draft.path / "a.txt").write_text("half")
        raise RuntimeError
    assert not store.has("kind", "k")
    assert not store.path("kind", "k").exists()
    assert not any((store.root / ".partial").iterdir())


def test_the_first_writer_wins(store):
    with store.publish("kind", "k") as slow:
        (slow.path / "a.txt").write_text("slow")
        put(store, text="fast")
    assert store.file("kind", "k", "a.txt").read_text() == "fast"


def test_many_writers_of_one_key_leave_one_whole_artefact(store):
    writers = [threading.Thread(target=put, args=(store, "k", f"writer {i}" * 1000)) for i in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert store.file("kind", "k", "a.txt").read_text().startswith("writer")


def test_remains_without_a_manifest_are_replaced(store):
    final = store.path("kind", "k")
    final.mkdir(parents=True)
    (final / "old.txt").write_text("left by a deleted manifest")
    put(store)
    assert sorted(path.name for path in final.iterdir()) == ["a.txt", MANIFEST]


@pytest.mark.parametrize("damage", ["changed", "longer", ""])
def test_a_damaged_payload_is_never_read(store, damage):
    put(store, text="correct")
    (store.path("kind", "k") / "a.txt").write_text(damage)
    with pytest.raises(WorkError, match=r"a\.txt: differs from its manifest; `olmix audit --repair`"):
        store.file("kind", "k", "a.txt")


def test_a_manifest_of_another_key_is_refused(store):
    put(store, "k")
    put(store, "other")
    (store.path("kind", "k") / MANIFEST).write_text((store.path("kind", "other") / MANIFEST).read_text())
    with pytest.raises(WorkError, match="is the manifest of kind/other"):
        store.manifest("kind", "k")


def test_a_broken_manifest_is_named(store):
    put(store)
    (store.path("kind", "k") / MANIFEST).write_text("{")
    with pytest.raises(WorkError, match=r"manifest\.json: damaged manifest"):
        store.manifest("kind", "k")


def test_a_file_that_is_not_listed_is_not_read(store):
    put(store)
    (store.path("kind", "k") / "smuggled.txt").write_text("x")
    with pytest.raises(WorkError, match="not part of this artefact"):
        store.file("kind", "k", "smuggled.txt")


def test_a_staged_artefact_appears_only_when_published(store):
    with store.stage("kind", "k") as draft:
        (draft.path / "a.txt").write_text("staged")
    assert not store.has("kind", "k")
    assert store.publish_staged("kind", "k")
    assert store.file("kind", "k", "a.txt").read_text() == "staged"
    assert not store.publish_staged("kind", "k")


def test_provenance_is_recorded(store):
    put(store)
    manifest = json.loads((store.path("kind", "k") / MANIFEST).read_text())
    assert {"python", "torch", "numpy", "system"} <= set(manifest["provenance"])
