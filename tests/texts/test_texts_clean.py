import pytest

from olmix.texts.clean import boilerplate_lines, clean, drop_lines
from olmix.texts.documents import Document, make_document


def documents(*texts: str) -> list[Document]:
    return [make_document("sub", text) for text in texts]


def body(name: str) -> str:
    return f"A sentence of its own about {name} that is long enough."


@pytest.mark.parametrize(
    ("characters", "copies", "is_boilerplate"), [(40, 3, True), (39, 3, False), (40, 2, False), (41, 4, True)]
)
def test_a_line_is_boilerplate_from_40_characters_in_more_than_2_documents(
    characters: int, copies: int, is_boilerplate: bool
) -> None:
    line = "x" * characters
    texts = [f"{body(str(number))}\n{line}\nend" for number in range(copies)]
    assert (line in boilerplate_lines(texts)) == is_boilerplate


def test_repetition_inside_one_document_does_not_count() -> None:
    line = "y" * 60
    assert boilerplate_lines([f"{line}\n{line}\n{line}", line]) == set()


def test_indentation_does_not_hide_boilerplate() -> None:
    line = "z" * 50
    assert boilerplate_lines([line, f"    {line}", f"\t{line}  "]) == {line}
    assert drop_lines(f"a\n    {line}  \n\nb", {line}) == "a\n\nb"


def test_lines_are_counted_on_the_training_side_and_dropped_on_both() -> None:
    frequent, rare = "Licensed under the terms of some licence text.", "This line is in one training document only."
    train = documents(*(f"{frequent}\n{body(str(number))}" for number in range(3)), f"{rare}\n{body('rare')}")
    heldout = documents(*(f"{frequent}\n{rare}\n{body(name)}" for name in "abc"))
    clean_train, clean_heldout = clean(train, heldout)
    assert all(frequent not in document.text for document in clean_train + clean_heldout)
    assert all(rare in document.text for document in clean_heldout)


def test_documents_left_with_less_than_40_characters_are_dropped() -> None:
    kept, dropped = "k" * 40, "d" * 39
    assert [document.text for document in clean(documents(kept, dropped), [])[0]] == [kept]


def test_training_documents_that_become_equal_are_one() -> None:
    same = "a short line\nanother short line\nand a third one"
    headers = [f"Header line number {number} of the licence, long enough." for number in range(3)]
    users = [f"{header}\n{body(f'{number} {name}')}" for number, header in enumerate(headers) for name in "ab"]
    train, _ = clean(documents(*(f"{header}\n{same}" for header in headers), *users), [])
    assert [document.text for document in train].count(same) == 1
    assert len(train) == 1 + len(users)


def test_a_held_out_document_without_a_line_of_its_own_is_dropped() -> None:
    train = documents(f"{body('one')}\n{body('two')}\n{body('three')}")
    heldout = documents(f"{body('two')}\n  {body('three')}", f"{body('two')}\n{body('four')}")
    assert [document.text for document in clean(train, heldout)[1]] == [f"{body('two')}\n{body('four')}"]
