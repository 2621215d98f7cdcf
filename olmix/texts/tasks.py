"""The tasks of the default suite: which documents each is cut from, and how many items one document gives."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from olmix.texts import code_tasks, facts, text_tasks
from olmix.texts.documents import Document
from olmix.texts.items import Item


@dataclass(frozen=True, slots=True)
class Task:
    """A task cut from one domain: items are made document by document.

    `per_document` bounds the items of one document. `from_training` is for the one task whose facts must be known
    from training (only their wording is new); `from_source` is for text that cleaning removes from the domain.
    """

    name: str
    domain: str
    make: Callable[[str, str], Iterator[Item]]
    per_document: int = 3
    from_training: bool = False
    from_source: bool = False


# Cut from its wheel and not from a domain.
HUMANEVAL = "humaneval"
# Domains with few documents give more items of each.
_MANY = 12

TASKS = (
    Task("python_functions", "python", code_tasks.python_functions),
    Task("cpp_declarations", "cpp", code_tasks.cpp_declarations),
    Task("api_parameters", "apidoc", code_tasks.api_parameters),
    Task("doctest_numeric", "apidoc", code_tasks.doctests, from_source=True),
    Task("doctest_math", "math", code_tasks.doctests),
    Task("math_prose", "math", code_tasks.math_prose),
    Task("speeches", "speeches", text_tasks.next_sentences, per_document=_MANY),
    Task("facts", "factbook", facts.facts, from_training=True),
    Task("factbook_passages", "factbook", text_tasks.factbook_passages, per_document=_MANY),
    Task("definitions", "dictionary", text_tasks.definitions),
    Task("scripture", "scripture", text_tasks.next_sentences),
    Task("medical_codes", "medical", text_tasks.medical_codes),
)


def candidates(domain: str, train: Iterable[Document], heldout: Iterable[Document]) -> dict[str, list[Item]]:
    """All possible items of the domain's tasks, by task, before the leak check and the choice."""
    return {
        task.name: [
            item
            for document in (train if task.from_training else heldout)
            for item in task.make(document.source if task.from_source else document.text, document.key)
            if item.context.strip() and item.continuation.strip()
        ]
        for task in TASKS
        if task.domain == domain
    }
