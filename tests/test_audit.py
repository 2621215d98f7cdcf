"""Every corruption of a store is found, named, and repaired alone."""

import json
import shutil
from random import Random

import pytest

from olmix.audit import audit, repair
from olmix.errors import WorkError
from olmix.store import MANIFEST, Store
from tests.miniature import planned_jobs, run, snakemake


def artefact_files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flip(folder, others, random):
    path = random.choice([path for path in artefact_files(folder) if path.stat().st_size])
    data = bytearray(path.read_bytes())
    bit = random.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def truncate(folder, others, random):
    path = random.choice([path for path in artefact_files(folder) if path.stat().st_size])
    data = path.read_bytes()
    path.write_bytes(data[: random.randrange(len(data))])


def replace(folder, others, random):
    shutil.rmtree(folder)
    shutil.copytree(random.choice(others), folder)


def replace_a_file(folder, others, random):
    path = random.choice(artefact_files(folder))
    other = random.choice(others) / path.relative_to(folder)
    if other.is_file() and other.read_bytes() != path.read_bytes():
        shutil.copy(other, path)
    else:
        path.write_bytes(path.read_bytes() + b"\0")


def lose_a_file(folder, others, random):
    random.choice(artefact_files(folder)).unlink()


def add_a_file(folder, others, random):
    (folder / random.choice(["model.bin", "scores.json.bak", ".hidden"])).write_text("x")


def edit_the_manifest(folder, others, random):
    manifest = json.loads((folder / MANIFEST).read_text())
    name = random.choice(["inputs", "facts", "cost", "provenance", "files"])
    manifest[name] = manifest[name] | {"more": 1} if isinstance(manifest[name], dict) else {}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def reformat_the_manifest(folder, others, random):
    (folder / MANIFEST).write_text(json.dumps(json.loads((folder / MANIFEST).read_text())))


def drop_the_digest(folder, others, random):
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"digest"', '"digast"'))


def hollow(folder, others, random):
    shutil.rmtree(folder)
    folder.mkdir()


CORRUPTIONS = [
    flip, flip, flip, truncate, replace, replace_a_file, lose_a_file, add_a_file, edit_the_manifest,
    reformat_the_manifest, drop_the_digest, hollow,
]  # fmt: skip


def silent(line):
    pass


@pytest.fixture(scope="module")
def copied(finished, tmp_path_factory):
    """A store of every kind of artefact, to be damaged and mended."""
    folder = tmp_path_factory.mktemp("audit")
    shutil.copytree(finished / "store", folder / "store")
    return folder


def test_a_whole_store_has_no_problem(copied):
    assert audit(Store(copied / "store"), silent) == []


@pytest.mark.parametrize("seed", range(20))
def test_every_corruption_is_found_and_nothing_else(copied, seed):
    """Twelve corruptions a seed, 240 in all, of every kind of artefact."""
    store, random = Store(copied / "store"), Random(seed)
    by_kind = {}
    for kind, key in store.artefacts():
        by_kind.setdefault(kind, []).append(key)
    assert set(by_kind) == {"tokens", "items", "plan", "proxy", "evaluation", "law", "proposal", "validation"}
    for corrupt in CORRUPTIONS:
        kind = random.choice(sorted(by_kind))
        key = random.choice(by_kind[kind])
        folder = store.path(kind, key)
        elsewhere = (
            store.path("plan", by_kind["plan"][0]) if kind == "items" else store.path("items", by_kind["items"][0])
        )
        others = [store.path(kind, other) for other in by_kind[kind] if other != key] or [elsewhere]
        kept = copied / "kept"
        shutil.copytree(folder, kept)
        corrupt(folder, others, random)
        lines = []
        assert audit(store, lines.append) == [(kind, key)], f"{corrupt.__name__} of {kind}"
        assert str(folder) in lines[0]
        shutil.rmtree(folder)
        kept.rename(folder)


def test_what_is_damaged_is_never_used_silently(copied):
    """A flipped bit of any payload file or manifest is refused by whoever reads it."""
    store, random = Store(copied / "store"), Random(1)
    for kind, key in store.artefacts():
        folder = store.path(kind, key)
        for path in artefact_files(folder):
            name, data = path.relative_to(folder).as_posix(), path.read_bytes()
            if not data:
                continue
            damaged = bytearray(data)
            bit = random.randrange(8 * len(data))
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            with pytest.raises(WorkError, match="olmix audit --repair"):
                store.manifest(kind, key) if name == MANIFEST else store.file(kind, key, name)
            path.write_bytes(data)


def test_repair_makes_room_for_a_new_one(project):
    store = Store(project / "store")
    (kind, key) = next(each for each in store.artefacts() if each[0] == "evaluation")
    whole = (store.path(kind, key) / "scores.json").read_bytes()
    (store.path(kind, key) / "scores.json").write_bytes(whole[:-2])
    told = run(project, "olmix", "audit")
    assert told.returncode == 1
    assert f"store/evaluation/{key}/scores.json: differs from its manifest" in told.stderr
    assert "1 of 26 artefacts are damaged; `olmix audit --repair` repairs them" in told.stderr
    mended = run(project, "olmix", "audit", "--repair")
    assert mended.returncode == 0, mended.stderr
    assert planned_jobs(project) == {"evaluation": 1, "swarm_table": 1, "report": 1}
    assert snakemake(project).returncode == 0
    assert (store.path(kind, key) / "scores.json").read_bytes() == whole
    assert "26 artefacts, all as they were published" in run(project, "olmix", "audit").stdout


def test_repair_leaves_what_is_whole(copied):
    store = Store(copied / "store")
    all_of_them = list(store.artefacts())
    repair(store, [], copied, silent)
    assert list(store.artefacts()) == all_of_them
