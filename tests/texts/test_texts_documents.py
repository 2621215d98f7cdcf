from hypothesis import given
from hypothesis import strategies as st

from olmix.texts.documents import DOMAINS, content_key, deduplicate, is_heldout, make_document, sample, split

texts = st.text(min_size=1, max_size=60)


@given(texts, texts, texts)
def test_the_side_of_a_document_depends_on_its_content_only(text: str, sub: str, other_sub: str) -> None:
    here, moved = make_document(sub, text), make_document(other_sub, text, source="elsewhere")
    respaced = make_document(sub, "  " + text.replace(" ", "\n\t ") + "\n")
    assert is_heldout(here) == is_heldout(moved) == is_heldout(respaced)


@given(st.lists(texts, max_size=30))
def test_split_parts_the_documents_and_keeps_their_order(contents: list[str]) -> None:
    documents = [make_document("sub", text) for text in contents]
    train, heldout = split(documents)
    assert [document for document in documents if document in train] == train
    assert [document for document in documents if document in heldout] == heldout
    assert len(train) + len(heldout) == len(documents)
    assert not {document.key for document in train} & {document.key for document in heldout}


def test_about_five_percent_are_held_out_at_every_scale() -> None:
    documents = [make_document("sub", f"document number {number}") for number in range(20_000)]
    assert 0.045 < len(split(documents)[1]) / len(documents) < 0.055
    tenth = sample(documents, 0.1)
    assert 0.09 < len(tenth) / len(documents) < 0.11
    assert 0.03 < len(split(tenth)[1]) / len(tenth) < 0.07


def test_a_smaller_scale_is_a_subset_of_a_larger_one() -> None:
    documents = [make_document("sub", f"document number {number}") for number in range(1_000)]
    assert set(sample(documents, 0.1)) < set(sample(documents, 0.2)) < set(documents)
    assert sample(documents, 1.0) == documents


@given(
    st.lists(st.tuples(st.sampled_from(DOMAINS[:3]), st.sampled_from(["a b", "a  b", "a\nb", "c", "d"])), max_size=20)
)
def test_deduplication_keeps_exactly_one_of_each_text_in_the_first_domain(pairs: list[tuple[str, str]]) -> None:
    domains = {name: [make_document(name, text) for domain, text in pairs if domain == name] for name in DOMAINS[:3]}
    kept = deduplicate(domains)
    keys = [document.key for documents in kept.values() for document in documents]
    assert sorted(keys) == sorted({content_key(text) for _, text in pairs})
    for domain, documents in kept.items():
        earlier = [name for name in DOMAINS[:3] if DOMAINS.index(name) < DOMAINS.index(domain)]
        for document in documents:
            assert all(document.key != other.key for name in earlier for other in domains[name])


def test_partition_keys_are_safe_file_names() -> None:
    assert make_document("ATen/native (CUDA)", "text").sub == "aten-native-cuda"
    assert make_document("../../etc", "text").sub == "etc"
    assert make_document("from-1933", "text").sub == "from-1933"
