import gzip
import json

import pandas as pd
import pytest
import zstandard

from olmix.corpus.readers import read_documents
from olmix.domains.fingerprint import StatCache, fingerprint
from olmix.domains.schema import read_domains

TEXTS = ["first document", "zweites – mit Umlaut ä", "third\nwith two lines"]
JSONL = "".join(json.dumps({"text": text, "id": i}) + "\n" for i, text in enumerate(TEXTS))


@pytest.fixture
def leaf_of(tmp_path):
    """Reads a leaf declared by YAML text; files are written by the test."""
    (tmp_path / "domains").mkdir()

    def read(declaration):
        (tmp_path / "domains/web.yaml").write_text(declaration)
        (leaf,) = fingerprint(read_domains(tmp_path / "domains"), tmp_path, StatCache(tmp_path / "c.json"))
        return leaf

    return read


def write(path, kind):
    if kind == "jsonl":
        path.write_text(JSONL)
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(JSONL.encode()))
    elif kind == "jsonl.zst":
        path.write_bytes(zstandard.compress(JSONL.encode()))
    elif kind == "parquet":
        pd.DataFrame({"text": TEXTS}).to_parquet(path)
    elif kind == "csv":
        pd.DataFrame({"text": TEXTS}).to_csv(path, index=False)


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst", "parquet", "csv"])
def test_every_format_gives_the_same_documents(leaf_of, tmp_path, kind):
    write(tmp_path / f"a.{kind}", kind)
    assert list(read_documents(leaf_of(f"files: a.{kind}\n"))) == TEXTS


@pytest.mark.parametrize(
    ("sample_by", "expected"),
    [
        ("document", ["one\ntwo\n\nthree\n"]),
        ("line", ["one", "two", "three"]),
        ("paragraph", ["one\ntwo", "three\n"]),
    ],
)
def test_plain_text_by_document_paragraph_or_line(leaf_of, tmp_path, sample_by, expected):
    (tmp_path / "a.txt").write_text("one\ntwo\n\nthree\n")
    assert list(read_documents(leaf_of(f"files: a.txt\nsample_by: {sample_by}\n"))) == expected


def test_another_text_field(leaf_of, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"body": "x", "text": "y"}\n')
    assert list(read_documents(leaf_of("files: a.jsonl\ntext: body\n"))) == ["x"]


def test_a_url_is_read_through_fsspec(leaf_of):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/reader/a.jsonl", JSONL.encode())
    assert list(read_documents(leaf_of("files: memory://reader/*.jsonl\n"))) == TEXTS
    memory.rm("/reader", recursive=True)


def test_file_names_do_not_change_the_order_of_documents(leaf_of, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "two"}\n')
    before = list(read_documents(leaf_of("files: '*.jsonl'\n")))
    (tmp_path / "a.jsonl").rename(tmp_path / "z.jsonl")
    assert list(read_documents(leaf_of("files: '*.jsonl'\n"))) == before


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("{}", ["a", "bb", "bb", "cccc"]),
        ("{min_chars: 2}", ["bb", "bb", "cccc"]),
        ("{max_chars: 2}", ["a", "bb", "bb"]),
        ("{drop_duplicates: true}", ["a", "bb", "cccc"]),
    ],
)
def test_filters(leaf_of, tmp_path, filters, expected):
    rows = ["", "a", "bb", "bb", "cccc"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    assert list(read_documents(leaf_of(f"files: a.jsonl\nfilters: {filters}\n"))) == expected
