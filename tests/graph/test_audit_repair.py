"""Repair of a store that DVC knows: what its cache has is restored, and nothing else in the store is touched."""

from olmix.store import Store
from tests.miniature import planned_jobs, run


def test_damage_is_restored_from_the_cache_and_new_artefacts_stay(accepted):
    store = Store(accepted / "store")
    (kind, key), *_ = [each for each in store.artefacts() if each[0] == "proxy"]
    path = store.path(kind, key) / "scores.json"
    whole = path.read_bytes()
    with store.publish(kind, "f" * 20) as draft:  # made since DVC was told
        (draft.path / "scores.json").write_text("{}")
    path.chmod(0o644)
    path.write_bytes(whole[:-1] + b" ")
    done = run(accepted, "olmix", "audit", "--repair")
    assert f"store/proxy/{key}: restored from DVC's cache" in done.stderr, done.stderr
    assert path.read_bytes() == whole
    assert store.has(kind, "f" * 20)
    assert planned_jobs(accepted) == {}
    assert "all as they were published" in run(accepted, "olmix", "audit").stdout
