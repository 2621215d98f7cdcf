"""Whatever a file holds, reading it gives a value or an InputError of one line: never another exception."""

import gzip
import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from olmix.corpus.readers import read_rows
from olmix.csvfile import read_rows as read_csv
from olmix.digest import canonical, digest
from olmix.domains.fingerprint import File
from olmix.domains.schema import Source
from olmix.errors import InputError, WorkError
from olmix.evaluation.suite import SuiteFile
from olmix.interop.schema import FitConfig
from olmix.interop.tables import mixtures, read_table
from olmix.params import Params
from olmix.plan.history import AcceptedMixture, evidence_table, read_history
from olmix.plan.imports import Pins
from olmix.schema import Section, TokenBudget, TokenCount, parse, read_yaml
from olmix.store import MANIFEST, Store
from tests.plan.generations import accepted, leaf

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 3)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["auto", "2M", "5x", "1e3", "1/2", "1e999", "-1", "tiny", "log_linear", "partial", "../../x"])
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
MODELS = {
    Params: {
        "tokenizer": {"digest": "d"},
        "target": {"tokens": 9, "run": {"model": "tiny", "tokens": 1}},
        "proxy": {"tokens": 9},
    },
    Source: {"topics": {"a": {"files": ["x"], "filters": {"min_chars": 1}}}},
    SuiteFile: {"families": {"f": {"weight": 1, "tasks": {"t": {"files": ["x"]}}}}},
    AcceptedMixture: accepted("0001-one", [leaf("a"), leaf("b")]).model_dump(),
    Pins: {"leaves": {"a": "x"}, "suite": "s", "proxy": "p"},
    FitConfig: {"swarm": {"ratios": "r", "metrics": "m"}, "priors": {"relative_sizes": {"a": 1.0}}},
}  # fmt: skip
FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)


def steps(model, document):
    """Every path to a field that the model knows or the document has."""
    names = {*document, *(getattr(model, "model_fields", None) or ())}
    found = [(name,) for name in sorted(names)]
    for name, below in document.items():
        if isinstance(below, dict):
            found += [(name, *path) for path in steps(_below(model, name), below)]
    field_models = {name: _below(model, name) for name in names}
    found += [
        (name, field) for name, m in field_models.items() if m for field in m.model_fields if name not in document
    ]
    return found


def _below(model, name):
    field = (getattr(model, "model_fields", None) or {}).get(name)
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def with_value(document, path, value):
    name, *rest = path
    below = document.get(name)
    return {**document, name: with_value(below if isinstance(below, dict) else {}, rest, value) if rest else value}


def read_or_refuse(read, *arguments, errors=(InputError,)):
    """What it reads; None where it refuses in one line."""
    try:
        return read(*arguments)
    except errors as error:
        message = str(error)
    assert message.isprintable()
    return None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(max_examples=300)
@given(st.data())
def test_any_value_in_any_field_is_valid_or_refused(model, data):
    path = data.draw(st.sampled_from(steps(model, MODELS[model])))
    document = with_value(MODELS[model], path, data.draw(PLAIN))
    made = read_or_refuse(parse, document, model, "x.yaml")
    if made is not None:  # what was read can be a part of a key, and is read again as the same
        written = made.model_dump(mode="json")
        canonical(written)
        assert parse(written, model, "again") == made


@FILES
@given(st.binary(max_size=80) | PLAIN.map(lambda value: yaml.safe_dump(value, allow_unicode=True).encode()))
def test_any_bytes_as_yaml(tmp_path, content):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    for model in MODELS:
        read_or_refuse(read_yaml, path, model)


class Sizes(Section):
    count: TokenCount = 0
    budget: TokenBudget = 1


@given(st.integers(0, 999_999), st.sampled_from(["", "K", "M", "B"]))
def test_a_count_with_a_unit_is_that_many(number, unit):
    factor = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}[unit]
    assert parse({"count": f"{number}{unit}"}, Sizes, "x").count == number * factor


@given(st.floats(0.001, 1e6, allow_nan=False).map(lambda x: f"{x:.3f}".rstrip("0").rstrip(".")))
def test_a_multiple_is_kept_as_it_is_written(multiple):
    assert parse({"budget": f"{multiple}x"}, Sizes, "x").budget == f"{multiple}x"


@given(
    st.sampled_from(["count", "budget"]),
    st.text(max_size=8) | st.from_regex(r"[0-9.eE+\-x KMBT/]{1,8}", fullmatch=True),
)
def test_any_text_as_a_size(field, text):
    made = read_or_refuse(parse, {field: text}, Sizes, "x")
    if made is not None:
        found = getattr(made, field)
        assert isinstance(found, int) or found.endswith("x")


CELLS = st.text(max_size=4) | st.sampled_from(["run", "0.5", "1", "nan", "-1", "1_0", "inf", "", '"'])
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=5).map("\n".join)


@FILES
@given(st.binary(max_size=60) | TABLES.map(lambda text: text.encode(errors="ignore")))
def test_any_bytes_as_a_table(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    rows = read_or_refuse(read_csv, path)
    table = read_or_refuse(read_table, path)
    assert rows is not None or table is None
    if table is not None:
        found = read_or_refuse(mixtures, table, list(table.rows), list(table.columns))
        if found is not None:
            assert abs(found[0].sum(axis=1) - 1).max() < 1e-12


ROWS = st.lists(st.dictionaries(st.sampled_from(["text", "n"]), SCALARS, max_size=2), max_size=4)
LINES = ROWS.map(lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode())


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst", "txt", "csv", "parquet"])
@settings(FILES, max_examples=25)
@given(content=st.binary(max_size=60) | LINES, wrapped=st.booleans())
def test_any_bytes_as_data(tmp_path, kind, content, wrapped):
    path = tmp_path / f"x.{kind}"
    path.write_bytes(gzip.compress(content) if wrapped and kind.endswith("gz") else content)
    kinds = {"txt": "text"}
    file = File(str(path), "i", kinds.get(kind, kind.split(".")[0]))
    rows = read_or_refuse(lambda: list(read_rows(file)))
    assert rows is None or all(isinstance(row, dict) for row in rows)


@FILES
@given(st.binary(max_size=40) | PLAIN.map(lambda value: json.dumps(value).encode()), st.data())
def test_any_bytes_as_a_manifest(tmp_path, content, data):
    store = Store(tmp_path / "store")
    if not store.has("kind", "k"):
        with store.publish("kind", "k") as draft:
            (draft.path / "a.txt").write_text("payload")
        (tmp_path / "whole").write_text((store.path("kind", "k") / MANIFEST).read_text())
    whole = json.loads((tmp_path / "whole").read_text())
    path = store.path("kind", "k") / MANIFEST
    path.write_bytes(content)
    assert read_or_refuse(store.file, "kind", "k", "a.txt", errors=(WorkError,)) is None
    field, value = data.draw(st.sampled_from(sorted(whole))), data.draw(PLAIN)
    path.write_text(json.dumps(whole | {field: value}))
    assert read_or_refuse(store.manifest, "kind", "k", errors=(WorkError,)) in (None, whole)
    path.write_text(json.dumps({name: (whole | {field: value})[name] for name in whole if name != "digest"}))
    read_or_refuse(store.file, "kind", "k", "a.txt", errors=(WorkError,))
    path.write_text(json.dumps(whole))
    assert store.file("kind", "k", "a.txt").read_text() == "payload"


KEYED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


def same(a, b):
    """Equal as keys see it: numbers by value, but true is no number."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and type(a) in (type(b), int, float) and a == b


@settings(max_examples=400)
@given(KEYED, KEYED)
def test_two_trees_have_one_key_only_if_they_are_the_same(a, b):
    assert (digest(a) == digest(b)) == same(a, b)
    assert digest([a, b]) != digest([[a], b])


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.text(max_size=3), KEYED), unique_by=lambda pair: pair[0]), st.randoms(use_true_random=False)
)
def test_the_order_of_names_is_no_part_of_a_key(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert digest(dict(pairs)) == digest(dict(shuffled))


@given(KEYED, st.sampled_from([float("nan"), float("inf"), b"x", {1}, object(), {1: 2}, {None: 1}, len]))
def test_what_has_no_one_form_has_no_key(tree, odd):
    for value in ([tree, odd], {"a": [odd], "b": tree}):
        with pytest.raises((TypeError, ValueError), match=r"^\$"):
            digest(value)


RUNS = st.lists(
    st.tuples(
        st.from_regex(r"[0-9a-f]{4}", fullmatch=True),
        st.integers(0, 9),
        st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(1, 2**40), min_size=1),
    ),
    unique_by=lambda run: run[0],
)


@FILES
@given(RUNS, st.floats(0, 1), st.text(st.characters(codec="utf-8"), max_size=6))
def test_an_accepted_mixture_is_read_as_it_was_written(tmp_path, runs, weight, accepted_at):
    from olmix.accept import _Dumper

    mixture = accepted("0001-one", [leaf("a"), leaf("b")], {"a": weight, "b": 1 - weight}, runs=runs)
    document = mixture.model_dump() | {"accepted": accepted_at, "runs": evidence_table(runs)}
    path = tmp_path / "0001-one.yaml"
    path.write_text(yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1_000_000), encoding="utf-8")
    (again,) = read_history(tmp_path)
    assert again.model_dump() == document
    assert again.evidence() == sorted(runs)
