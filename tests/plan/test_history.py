import pytest
import yaml

from olmix.errors import InputError
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


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("first", {}, r"first\.yaml: an accepted mixture is named NNNN-name\.yaml"),
        ("0002-x", {"parent": "0001-gone"}, r"0002-x\.yaml: parent: found '0001-gone'; earlier generations: none"),
        ("0002-x", {"weights": {"a": 0.5, "b": 0.6}}, r"weights sum to 1\.1; allowed: 1"),
        ("0002-x", {"weights": {"a": 1.0}}, r"weights and leaves name different leaves: b"),
        ("0002-x", {"weights": {"a": 1.5, "b": -0.5}}, r"weights\.a is 1\.5; allowed: 0 to 1"),
        ("0002-x", {"colour": 1}, r"colour: unknown field"),
    ],
)
def test_mistakes_in_files(tmp_path, name, changes, message):
    write(tmp_path, name, **changes)
    with pytest.raises(InputError, match=message):
        read_history(tmp_path)


def test_two_files_of_one_number(tmp_path):
    write(tmp_path, "0001-one")
    write(tmp_path, "0001-two")
    with pytest.raises(InputError, match=r"0001-two\.yaml: number 0001 is taken by 0001-one\.yaml"):
        read_history(tmp_path)


def test_evidence_survives_the_file(tmp_path):
    runs = [("k2", 0, {"x": 64}), ("k1", 7, {"x": 32, "y": 96})]
    write(tmp_path, "0001-one", runs=evidence_table(runs))
    assert read_history(tmp_path)[0].evidence() == sorted(runs)


@pytest.mark.parametrize("table", ["", "a,b\n", "key,seed,x\nk,0\n", "key,seed,x\nk,0,many\n"])
def test_a_damaged_table_is_an_error(tmp_path, table):
    write(tmp_path, "0001-one", runs=table)
    with pytest.raises(InputError, match=r"mixtures/0001-one\.yaml: runs"):
        read_history(tmp_path)[0].evidence()
