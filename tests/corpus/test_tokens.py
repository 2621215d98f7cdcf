import json
from itertools import pairwise

import numpy as np
import pytest

from olmix.corpus.tokenizer import load_tokenizer
from olmix.corpus.tokens import make_tokens, open_tokens, tokens_key
from olmix.domains.fingerprint import StatCache, fingerprint
from olmix.domains.schema import read_domains
from olmix.errors import InputError
from olmix.params import TokenizerParams


@pytest.fixture
def leaf_of(tmp_path):
    (tmp_path / "domains").mkdir()

    def write(texts, declaration="files: a.jsonl\n"):
        (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        (tmp_path / "domains/web.yaml").write_text(declaration)
        (leaf,) = fingerprint(read_domains(tmp_path / "domains"), tmp_path, StatCache(tmp_path / "c.json"))
        return leaf

    return write


def silent(line):
    pass


def test_documents_can_be_read_back(leaf_of, tokenizer, store):
    texts = ["short", "ümlaut\nand a line", "x" * 1000]
    key = make_tokens(leaf_of(texts), tokenizer, store, 1, silent)
    tokens = open_tokens(store, key)
    offsets = np.load(store.file("tokens", key, "documents.npy"))
    assert tokens.dtype == np.uint16
    documents = [tokens[a:b].tolist() for a, b in pairwise(offsets)]
    assert [tokenizer.tokenizer.decode(ids[:-1]) for ids in documents] == texts
    assert all(ids[-1] == tokenizer.end_of_text for ids in documents)


def test_the_manifest_counts_documents_bytes_and_tokens(leaf_of, tokenizer, store):
    key = make_tokens(leaf_of(["ab", "ü"]), tokenizer, store, 1, silent)
    assert store.manifest("tokens", key)["facts"] == {"documents": 2, "bytes": 4, "tokens": 6}


def test_the_number_of_threads_does_not_matter(leaf_of, tokenizer, store, tmp_path):
    texts = [f"document {i}" * (i % 7 + 1) for i in range(2000)]
    leaf = leaf_of(texts)
    key = make_tokens(leaf, tokenizer, store, 1, silent)
    one = open_tokens(store, key).copy()
    (store.path("tokens", key) / "manifest.json").unlink()
    make_tokens(leaf, tokenizer, store, 2, silent)
    assert np.array_equal(open_tokens(store, key), one)


def test_a_large_vocabulary_needs_32_bits(leaf_of, tokenizer, store):
    from dataclasses import replace

    key = make_tokens(leaf_of(["a"]), replace(tokenizer, vocabulary=100_352), store, 1, silent)
    assert open_tokens(store, key).dtype == np.uint32


def test_a_leaf_without_documents_is_an_error(leaf_of, tokenizer, store):
    leaf = leaf_of(["abc"], "files: a.jsonl\nfilters: {min_chars: 10}\n")
    with pytest.raises(InputError, match=r"web\.yaml: files: web has no document after filters"):
        make_tokens(leaf, tokenizer, store, 1, silent)
    assert not store.has("tokens", tokens_key(leaf.content, tokenizer.digest))


def test_the_key_covers_content_and_tokenizer(leaf_of):
    one, two = leaf_of(["a"]).content, leaf_of(["b"]).content
    assert len({tokens_key(c, t) for c in (one, two) for t in ("t1", "t2")}) == 4


def test_golden_tokens(store, leaf_of):
    """Guards the recipe version: if this changes, raise `olmix.corpus.tokens.RECIPE`."""
    from pathlib import Path

    from olmix.params import read_params

    root = Path(__file__).parents[2]
    frozen = load_tokenizer(read_params(root / "params.yaml").tokenizer, root)
    key = make_tokens(leaf_of(["def f(x):\n    return 12345\n", "The capital of France."]), frozen, store, 1, silent)
    assert open_tokens(store, key).tolist() == [
        622,
        283,
        636,
        489,
        272,
        479,
        221,
        800,
        19,
        20,
        21,
        199,
        0,
        866,
        1426,
        1149,
        280,
        464,
        504,
        336,
        14,
        0,
    ]


def test_a_changed_tokenizer_is_refused(tmp_path, tokenizer):
    folder = tmp_path / "tok"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(tokenizer.tokenizer.to_str())
    with pytest.raises(InputError, match=r"tokenizer\.digest: found 0000, but the tokenizer at tok has [0-9a-f]{20}"):
        load_tokenizer(TokenizerParams(path="tok", digest="0000"), tmp_path)


def test_a_folder_without_tokenizer_is_named(tmp_path):
    (tmp_path / "tok").mkdir()
    with pytest.raises(InputError, match=r"tokenizer\.path: 'tok' holds no tokenizer\.json"):
        load_tokenizer(TokenizerParams(path="tok", digest="0"), tmp_path)


def test_layout_of_tokenizer_json_does_not_matter(tmp_path, tokenizer):
    folder = tmp_path / "tok"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(
        json.dumps(json.loads(tokenizer.tokenizer.to_str()), indent=3, sort_keys=True)
    )
    assert load_tokenizer(TokenizerParams(path="tok", digest=tokenizer.digest), tmp_path).digest == tokenizer.digest
