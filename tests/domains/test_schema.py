import pytest

from olmix.domains.schema import read_domains
from olmix.errors import InputError


@pytest.fixture
def domains(tmp_path):
    folder = tmp_path / "domains"
    folder.mkdir()
    return folder


def test_a_source_is_a_leaf_or_has_topics(domains):
    (domains / "web.yaml").write_text("topics:\n  news: {files: n.jsonl}\n  games: {files: [g.jsonl, h.jsonl]}\n")
    (domains / "code.yaml").write_text("files: c/*.parquet\ntext: content\n")
    leaves = {leaf.name: leaf for leaf in read_domains(domains)}
    assert list(leaves) == ["code", "web:games", "web:news"]
    assert leaves["web:games"].files == ("g.jsonl", "h.jsonl")
    assert leaves["code"].reader.text == "content"


def test_topics_inherit_reader_fields(domains):
    text = "text: body\nfilters: {min_chars: 5}\ntopics:\n  a: {files: a}\n  b: {files: b, text: other}\n"
    (domains / "web.yaml").write_text(text)
    a, b = read_domains(domains)
    assert (a.reader.text, b.reader.text) == ("body", "other")
    assert a.reader.filters.min_chars == b.reader.filters.min_chars == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("description: nothing\n", "give either `files`"),
        ("files: a\ntopics: {b: {files: b}}\n", "give either `files`"),
        ("fles: a\n", "fles: unknown field; allowed here: description, files, filters"),
        ("topics: {a: {file: b}}\n", "topics.a.files: required field is missing"),
        ("topics: {'a:b': {files: b}}\n", "topic name 'a:b'"),
        ("files: a\nfilters: {min_chars: 0}\n", "filters.min_chars: found 0"),
        ("files: a\nformat: docx\n", "format: found 'docx'"),
        ("- files: a\n", "a mapping of fields is expected"),
    ],
)
def test_a_mistake_names_file_and_field(domains, text, message):
    (domains / "web.yaml").write_text(text)
    with pytest.raises(InputError, match=r"web\.yaml") as error:
        read_domains(domains)
    assert message in str(error.value)


def test_an_empty_folder_is_explained(domains):
    with pytest.raises(InputError, match=r"holds no <source>\.yaml"):
        read_domains(domains)
