"""Boilerplate removal: long lines that many training documents of a domain share (licences, templates)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from olmix.texts.documents import Document

MIN_LINE_CHARACTERS = 40
MAX_DOCUMENTS = 2
MIN_DOCUMENT_CHARACTERS = 40


def boilerplate_lines(texts: Iterable[str]) -> set[str]:
    """Lines (stripped) of >= 40 characters that occur in more than 2 of the texts."""
    documents: Counter[str] = Counter()
    for text in texts:
        documents.update({line for line in _lines(text) if len(line) >= MIN_LINE_CHARACTERS})
    return {line for line, count in documents.items() if count > MAX_DOCUMENTS}


def drop_lines(text: str, unwanted: set[str]) -> str:
    """The text without the unwanted lines (compared stripped), and without blank lines at either end."""
    kept = "\n".join(line for line in text.split("\n") if line.strip() not in unwanted)
    return kept.strip("\n").rstrip()


def clean(train: list[Document], heldout: list[Document]) -> tuple[list[Document], list[Document]]:
    """Both sides of one domain without boilerplate, counted on the training side only.

    Dropped as well: documents left with < 40 characters; training documents that have become equal; and held-out
    documents with no line of their own, since each of their lines is in training text.
    """
    unwanted = boilerplate_lines(document.text for document in train)
    clean_train = list({document.text: document for document in _cleaned(train, unwanted)[::-1]}.values())[::-1]
    known = {line for document in clean_train for line in _lines(document.text)}
    clean_heldout = {
        document.text: document
        for document in _cleaned(heldout, unwanted)
        if any(line not in known for line in _lines(document.text))
    }
    return clean_train, list(clean_heldout.values())


def _cleaned(documents: list[Document], unwanted: set[str]) -> list[Document]:
    cleaned = [replace(document, text=drop_lines(document.text, unwanted)) for document in documents]
    return [document for document in cleaned if len(document.text) >= MIN_DOCUMENT_CHARACTERS]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]
