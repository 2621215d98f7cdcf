import ast
import re
import warnings
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmix.texts.python_sources import (
    code_documents,
    is_test,
    long_docstrings,
    python_files,
    remove_doctests,
    strip_docstrings,
)

DOCSTRINGS = [
    '"""One line."""',
    "'''Two\n\n    lines.'''",
    "'plain'",
    'r"raw \\d"',
    '"""ünïcode – text"""',
    '("in brackets")',
]
STATEMENTS = [
    "x = 1",
    "return 'not a docstring'",
    "# a comment",
    "y = '''text\n  text'''",
    "'another string'",
    "x = 2; y = 3",
]


def owners(tree: ast.AST) -> list[ast.AST]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def has_docstring(source: str) -> bool:
    return any(ast.get_docstring(node) is not None for node in owners(ast.parse(source)))


def without_docstrings(source: str) -> str:
    """The syntax tree without docstrings, made from the tree and not from the text."""
    tree = ast.parse(source)
    for node in owners(tree):
        while node.body and ast.get_docstring(node) is not None:
            del node.body[0]
        if not node.body and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]
    return ast.dump(tree)


@st.composite
def sources(draw: st.DrawFn, depth: int = 0) -> str:
    pad = "    " * depth
    lines = draw(st.lists(st.sampled_from(DOCSTRINGS + STATEMENTS), max_size=3))
    if depth == 0:
        lines = [line for line in lines if not line.startswith("return")]
    text = "".join(f"{pad}{line}\n" for line in lines)
    if depth < 2:
        for _ in range(draw(st.integers(0, 2))):
            header = draw(st.sampled_from(["def f(a, b=2):", "async def g():", "class C(object):"]))
            text += draw(st.sampled_from(["", "\n", f"{pad}# above\n"])) + f"{pad}{header}\n"
            inner = draw(sources(depth + 1))
            text += (
                inner if any(not line.strip().startswith("#") for line in inner.splitlines()) else f"{pad}    pass\n"
            )
    return text


@given(sources())
def test_stripped_code_parses_and_has_no_docstring_and_no_other_change(source: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError:  # a return in a class body is drawn now and then
        return
    stripped = strip_docstrings(source)
    assert not has_docstring(stripped)
    if '("' not in source:  # brackets around a docstring stay, as an empty tuple
        assert ast.dump(ast.parse(stripped)) == without_docstrings(source)


def test_a_real_package_keeps_its_code_and_comments() -> None:
    files = [source for path, source in python_files("networkx", "networkx") if not is_test(path)][::5]
    assert len(files) > 40
    for source in files:
        stripped = strip_docstrings(source)
        assert ast.dump(ast.parse(stripped)) == without_docstrings(source)
        comments = [line for line in source.split("\n") if line.lstrip().startswith("# ")]
        assert all(line in stripped for line in comments if ">>>" not in source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('def f():\n    """Doc."""\n    return 1\n', "def f():\n    return 1\n"),
        ('class E(Exception):\n    """Doc."""\n', "class E(Exception):\n    pass\n"),
        ('def f(): "doc"\n', "def f(): ...\n"),
        ('def f():\n    "doc"; return 1\n', "def f():\n    ...; return 1\n"),
        ('"""Module."""  # noqa\n\nimport os\n', "import os\n"),
        ('"""One."""\n"""Two."""\nx = 1\n', "x = 1\n"),
        ('def f():\n    """é"""\n    # é\n    return "é"\n', 'def f():\n    # é\n    return "é"\n'),
    ],
)
def test_strip_docstrings(source: str, expected: str) -> None:
    assert strip_docstrings(source) == expected


def test_broken_code_is_an_error_and_has_no_docstrings() -> None:
    with pytest.raises(SyntaxError):
        strip_docstrings("def f(:\n")
    assert long_docstrings("def f(:\n") == []


def test_docstrings_count_from_200_characters_and_lose_their_indentation() -> None:
    long, short = "word " * 39 + "worte", "word " * 39 + "wort"
    functions = f'def f():\n    """{long}"""\n\ndef g():\n    """{short}"""\n\n'
    source = f'{functions}class A:\n    """\n    {long} two\n      more\n    """\n'
    assert long_docstrings(source) == [long, f"{long} two\n  more"]


def test_docstrings_that_are_not_unicode_are_left_out() -> None:
    assert long_docstrings('"""' + "word " * 50 + '\\ud800"""\n') == []


def test_doctests_go_up_to_the_next_blank_line() -> None:
    examples = ">>> add(1, 2)\n3\n>>> for i in x:\n...     i\n1\n\nSee also\n    >>> y\n    2\n\n\nother"
    text = f"Sum.\n\nExamples\n--------\n{examples}"
    assert remove_doctests(text) == "Sum.\n\nExamples\n--------\n\nSee also\n\nother"


@given(st.lists(st.sampled_from([">>> f(1)", "    >>> g", "... more", "1", "", "prose"]), max_size=12))
def test_no_prompt_survives_and_prose_after_a_blank_line_does(lines: list[str]) -> None:
    left = remove_doctests("\n".join(lines))
    assert ">>>" not in left
    after_blank = sum(line == "prose" and previous == "" for previous, line in zip(["", *lines], lines, strict=False))
    assert left.split("\n").count("prose") >= after_blank


def test_test_code_is_told_by_its_path() -> None:
    assert is_test(PurePosixPath("numpy/core/tests/data.py"))
    assert is_test(PurePosixPath("pkg/test_thing.py"))
    assert not is_test(PurePosixPath("pkg/testing/tests.py"))


def test_a_package_gives_three_domains_with_nothing_of_one_in_another() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        domains = code_documents("networkx")
    assert set(domains) == {"python", "tests", "apidoc"}
    assert all(len(documents) > 100 for documents in domains.values())
    assert {document.sub for documents in domains.values() for document in documents} == {"networkx"}
    assert not any(has_docstring(document.text) for document in domains["python"][::10])
    assert not any(re.search(r"^\s*>>>", document.text, re.MULTILINE) for document in domains["apidoc"])
    assert any(">>>" in document.source for document in domains["apidoc"])
