"""Domains python, tests, apidoc and math: the `.py` files of installed packages, read and never imported."""

import ast
import importlib.metadata
import inspect
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TypeGuard

from olmix.texts.documents import Document, make_document

# distribution -> its top-level package
CODE_PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "scikit-learn": "sklearn",
    "pandas": "pandas",
    "networkx": "networkx",
}
MATH_PACKAGES = {"sympy": "sympy", "mpmath": "mpmath"}
MIN_DOCSTRING_CHARACTERS = 200

_Owner = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_Statement = ast.stmt | ast.excepthandler | ast.match_case


def code_documents(distribution: str) -> dict[str, list[Document]]:
    """Documents of the domains python, tests and apidoc from one installed distribution of CODE_PACKAGES."""
    documents: dict[str, list[Document]] = {"python": [], "tests": [], "apidoc": []}
    for path, source in python_files(distribution, CODE_PACKAGES[distribution]):
        if is_test(path):
            documents["tests"].append(make_document(distribution, source))
            continue
        for docstring in long_docstrings(source):
            documents["apidoc"].append(make_document(distribution, remove_doctests(docstring), source=docstring))
        try:
            documents["python"].append(make_document(distribution, strip_docstrings(source)))
        except SyntaxError:  # templates and deliberately broken examples
            continue
    return documents


def math_documents() -> dict[str, list[Document]]:
    """Documents of the domain math: docstrings of sympy (one partition a submodule) and of mpmath."""
    documents = []
    for distribution, package in MATH_PACKAGES.items():
        for path, source in python_files(distribution, package):
            sub = path.parts[1] if distribution == "sympy" and len(path.parts) > 2 else distribution
            if not is_test(path):
                documents += [make_document(sub, docstring) for docstring in long_docstrings(source)]
    return {"math": documents}


def installed_files(distribution: str, folder: str, suffixes: tuple[str, ...]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Path below site-packages and bytes of each installed file under `folder`, sorted by path."""
    for file in sorted(importlib.metadata.files(distribution) or [], key=str):
        if str(file).startswith(f"{folder}/") and file.suffix in suffixes:
            yield PurePosixPath(file), file.read_binary()


def python_files(distribution: str, package: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Path and text of the package's UTF-8 `.py` files, line ends made `\\n`, sorted by path."""
    for path, data in installed_files(distribution, package, (".py",)):
        try:
            yield path, data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:  # a few files declare another encoding
            continue


def is_test(path: PurePosixPath) -> bool:
    """Whether a file is test code: under a `tests` folder, or named `test_*`."""
    return "tests" in path.parts[:-1] or path.name.startswith("test_")


def strip_docstrings(source: str) -> str:
    """Python source with comments and layout kept and no docstring left; SyntaxError if it does not parse.

    A docstring that was the only statement of its body becomes `pass`. Repeated until none is left, because the
    string after a removed docstring would be the next one.
    """
    while found := _docstrings(_parse(source)):
        source = _without(source, found)
    return source


def long_docstrings(source: str) -> list[str]:
    """Docstrings of >= 200 characters in the source, indentation removed, in the order of the syntax tree."""
    try:
        found = _docstrings(_parse(source))
    except SyntaxError:
        return []
    texts = (inspect.cleandoc(node.value.value).strip() for _, node in found)  # type: ignore[attr-defined]
    return [text for text in texts if len(text) >= MIN_DOCSTRING_CHARACTERS and _is_unicode(text)]


def remove_doctests(text: str) -> str:
    """The text without its interactive examples: from each `>>>` line to the next blank line."""
    kept = []
    inside = False
    for line in text.split("\n"):
        inside = line.lstrip().startswith(">>>") or (inside and bool(line.strip()))
        if not inside:
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


@lru_cache(maxsize=1)  # a file is parsed for its docstrings and, right after, for its code
def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's code
        return ast.parse(source)


def _docstrings(tree: ast.Module) -> list[tuple[_Owner, ast.Expr]]:
    return [(owner, owner.body[0]) for owner in _owners(tree) if owner.body and _is_string(owner.body[0])]


def _owners(node: ast.AST) -> Iterator[_Owner]:
    """The module, classes and functions below a node in the order of the text; expressions hold none."""
    if isinstance(node, _Owner):
        yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Statement):
            yield from _owners(child)


def _is_string(node: ast.stmt) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _without(source: str, docstrings: list[tuple[_Owner, ast.Expr]]) -> str:
    lines = source.encode().split(b"\n")  # ast counts columns in UTF-8 bytes
    for owner, node in sorted(docstrings, key=lambda found: -found[1].lineno):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :].strip()
        if before.strip() or (after and not after.startswith(b"#")):  # other code on the same line
            lines[first : last + 1] = [before + b"..." + after]
        elif len(owner.body) == 1 and not isinstance(owner, ast.Module):
            lines[first : last + 1] = [before + b"pass"]
        else:
            blank_follows = last + 1 < len(lines) and not lines[last + 1].strip()
            lines[first : last + 1 + blank_follows] = []
    return b"\n".join(lines).decode()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # an escaped lone surrogate
        return False
    return True
