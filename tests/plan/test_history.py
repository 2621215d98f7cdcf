import yaml

from olmix.plan.history import evidence_table, lineage, next_number, read_history
from tests.plan.generations import accepted, leaf

A, B, C = leaf("a"), leaf("b"), leaf("c")


def names(history, leaves):
    return [mixture.name for mixture in lineage(history, [x.content for x in leaves])]


def test_without_history_there_is_no_parent():
    assert names([], [A, B]) == []


def test_the_parent_is_the_newest_generation_with_another_domain_set():
    one = accepted("0001-one", [A, B])
    two = accepted("0002-two", [A, B, C], parent="0001-one")
    assert names([one], [A, B, C]) == ["0001-one"]
    assert names([one, two], [A, B, C, leaf("d")]) == ["0002-two", "0001-one"]


def test_accepting_does_not_change_the_parent():
    one = accepted("0001-one", [A, B])
    two = accepted("0002-two", [A, B, C], parent="0001-one")
    assert names([one], [A, B]) == []
    assert names([one, two], [A, B, C]) == names([one], [A, B, C])


def test_a_domain_set_that_returns_has_its_old_parent():
    one = accepted("0001-one", [A, B])
    two = accepted("0002-two", [A, B, C], parent="0001-one")
    assert names([one, two], [A, B]) == []


def test_names_do_not_matter():
    one = accepted("0001-one", [A, B])
    assert names([one], [leaf("x", "content of a"), leaf("y", "content of b")]) == []


def write(folder, name, **changes):
    mixture = accepted(name, [A, B])
    document = mixture.model_dump() | changes
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))


def test_reading(tmp_path):
    write(tmp_path, "0001-one")
    write(tmp_path, "0002-two", parent="0001-one")
    (tmp_path / "README.md").write_text("words")
    history = read_history(tmp_path)
    assert [(m.name, m.parent) for m in history] == [("0001-one", None), ("0002-two", "0001-one")]
    assert next_number(history) == 3
    assert read_history(tmp_path / "absent") == []


def test_evidence_survives_the_file(tmp_path):
    runs = [("k2", 0, {"x": 64}), ("k1", 7, {"x": 32, "y": 96})]
    write(tmp_path, "0001-one", runs=evidence_table(runs))
    assert read_history(tmp_path)[0].evidence() == sorted(runs)
