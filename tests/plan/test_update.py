import pytest

from olmix.errors import InputError
from olmix.plan.update import find_update
from tests.plan.generations import accepted, leaf

A, B, C = leaf("a"), leaf("b"), leaf("web:c", files=["f1", "f2", "f3"])
PARENT = accepted("0001-initial", [A, B, C])


def operators(leaves):
    update = find_update([PARENT], leaves)
    found = update.by_operator
    assert sorted(found["added"] + found["revised"] + found["partitioned"] + found["unchanged"]) == sorted(
        x.name for x in leaves
    )
    return {name: names for name, names in found.items() if names and name != "unchanged"}


def test_without_a_parent_everything_is_added():
    assert find_update([], [B, A]).added == ["a", "b"]


def test_nothing_changed():
    assert operators([A, B, C]) == {}


def test_added_removed_revised():
    assert operators([A, B, C, leaf("d")]) == {"added": ["d"]}
    assert operators([A, C]) == {"removed": ["b"]}
    assert operators([A, leaf("b", "other bytes"), C]) == {"revised": ["b"]}


def test_several_at_once():
    found = operators([leaf("a", "new bytes"), C, leaf("d"), leaf("e")])
    assert found == {"revised": ["a"], "removed": ["b"], "added": ["d", "e"]}


def test_a_renamed_leaf_is_the_same_leaf():
    update = find_update([PARENT], [A, leaf("renamed", "content of b"), C])
    assert update.unchanged == ["a", "renamed", "web:c"]
    assert update.lineage == {"renamed": ["b"]}
    assert operators([A, leaf("renamed", "content of b"), C]) == {}


def test_names_swapped_are_two_renamed_leaves():
    swapped = [leaf("a", "content of b"), leaf("b", "content of a"), C]
    assert operators(swapped) == {}


def test_a_partition_is_told_by_the_files():
    parts = [leaf("web:c1", files=["f1"]), leaf("web:c2", files=["f2", "f3"])]
    assert operators([A, B, *parts]) == {"partitioned": ["web:c1", "web:c2"]}
    assert find_update([PARENT], [A, B, *parts]).lineage == {"web:c1": ["web:c"], "web:c2": ["web:c"]}


def test_a_part_may_keep_the_name_of_the_whole():
    parts = [leaf("web:c", "part", files=["f1"]), leaf("web:c2", files=["f2", "f3"])]
    assert operators([A, B, *parts]) == {"partitioned": ["web:c", "web:c2"]}


def test_parts_that_miss_a_file_are_no_partition():
    parts = [leaf("web:c1", files=["f1"]), leaf("web:c2", files=["f2"])]
    assert operators([A, B, *parts]) == {"added": ["web:c1", "web:c2"], "removed": ["web:c"]}


def test_parts_with_a_foreign_file_are_no_partition():
    parts = [leaf("web:c1", files=["f1"]), leaf("web:c2", files=["f2", "f3", "f4"])]
    assert operators([A, B, *parts]) == {"added": ["web:c1", "web:c2"], "removed": ["web:c"]}


def test_a_file_in_two_parts_is_no_partition():
    parts = [leaf("web:c1", files=["f1", "f2"]), leaf("web:c2", files=["f2", "f3"])]
    assert operators([A, B, *parts]) == {"added": ["web:c1", "web:c2"], "removed": ["web:c"]}


def test_a_merge_is_told_by_the_files():
    whole = leaf("ab", files=["content of a", "content of b"])
    assert operators([whole, C]) == {"partitioned": ["ab"]}
    assert find_update([PARENT], [whole, C]).lineage == {"ab": ["a", "b"]}


def test_files_regrouped_across_leaves():
    one, two = leaf("x", files=["content of a", "f1"]), leaf("y", files=["f2", "f3"])
    assert operators([one, two, B]) == {"partitioned": ["x", "y"]}
    assert find_update([PARENT], [one, two, B]).lineage == {"x": ["a", "web:c"], "y": ["web:c"]}


def test_a_declared_partition_needs_no_common_file():
    parts = [leaf(f"pdf:{n}", partition_of="web:c") for n in ("law", "games")]
    assert operators([A, B, *parts]) == {"partitioned": ["pdf:games", "pdf:law"]}


def test_a_declared_merge():
    assert operators([leaf("ab", merge_of=["a", "b"]), C]) == {"partitioned": ["ab"]}


def test_a_declaration_of_an_earlier_generation_says_nothing():
    grandparent = accepted("0000-older", [A, leaf("gone")])
    parts = [A, B, C, leaf("d", partition_of="gone")]
    assert find_update([PARENT, grandparent], parts).added == ["d"]


def test_a_declaration_without_history_says_nothing():
    assert find_update([], [A, leaf("d", partition_of="a")]).added == ["a", "d"]


@pytest.mark.parametrize("declared", [{"partition_of": "web:d"}, {"merge_of": ["b", "web:d"]}])
def test_a_declared_origin_that_never_was_is_a_mistake(declared):
    with pytest.raises(InputError, match=r"domains/d\.yaml: d is declared to come from 'web:d', which .*: a, b, web:c"):
        find_update([PARENT], [A, C, leaf("d", **declared)])


def test_a_part_of_a_leaf_that_is_still_there_is_a_mistake():
    with pytest.raises(InputError, match=r"domains/d\.yaml.*d is declared to come from a, which is still in"):
        find_update([PARENT], [A, B, C, leaf("d", partition_of="a")])
