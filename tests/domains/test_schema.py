import pytest

from olmix.domains.schema import read_domains


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
