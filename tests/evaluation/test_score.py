import json

import numpy as np
import pytest
import torch

from olmix.digest import file_md5
from olmix.domains.fingerprint import StatCache
from olmix.errors import InputError, WorkError
from olmix.evaluation.evaluate import evaluate, stage_evaluation
from olmix.evaluation.items import TaskTokens, make_items, read_tokens, windows
from olmix.evaluation.score import load_foreign, score_windows
from olmix.evaluation.spec import evaluation_key
from olmix.evaluation.suite import read_suite
from olmix.params import ModelParams, ProxyParams
from olmix.proxy.decoder import new_decoder
from olmix.proxy.device import Device
from olmix.proxy.model import LOGITS_AT_ONCE
from olmix.proxy.run import run_proxy
from olmix.proxy.spec import Execution, RunSpec

MODEL = ModelParams(layers=1, heads=2, width=32, mlp_width=64, tied_embeddings=True)
CPU = Device("cpu", bf16=False)
END = 256


def silent(line):
    pass


def task_tokens(*pairs):
    flat = [token for context, continuation in pairs for token in (*context, *continuation)]
    lengths = np.array([[len(context), len(continuation)] for context, continuation in pairs])
    return TaskTokens(np.array(flat, np.int32), lengths, lengths[:, 1])


def bits_one_by_one(model, context, continuation, length):
    """The definition, without batches: each token given all that fits before it."""
    ids = [END, *context, *continuation]
    total = 0.0
    for position in range(len(context) + 1, len(ids)):
        given = torch.tensor([ids[max(0, position - length) : position]])
        total -= float(torch.log_softmax((model(given) @ model.unembedding.T)[0, -1].double(), -1)[ids[position]])
    return total / np.log(2)


@torch.inference_mode()
def test_bits_are_those_of_the_definition():
    model = new_decoder(MODEL, 257, 32, seed=0)
    rng = np.random.default_rng(0)
    pairs = [
        (rng.integers(0, 256, a).tolist(), rng.integers(0, 256, b).tolist())
        for a, b in [(0, 1), (3, 5), (9, 20), (1, 31)]
    ]
    bits = score_windows(model, windows(task_tokens(*pairs), END, 32), CPU)
    assert bits == pytest.approx([bits_one_by_one(model, *pair, 32) for pair in pairs], rel=1e-4)


@torch.inference_mode()
def test_logits_held_at_once_do_not_matter(monkeypatch):
    model = new_decoder(MODEL, 257, 32, seed=0)
    made = windows(task_tokens(([1, 2], [3, 4, 5]), ([6], list(range(30)))), END, 32)
    whole = score_windows(model, made, CPU)
    monkeypatch.setitem(LOGITS_AT_ONCE, "cuda", 4 * 257)
    assert score_windows(model, made, CPU) == pytest.approx(whole, rel=1e-5)


@torch.inference_mode()
def test_other_items_in_the_batch_do_not_matter():
    model = new_decoder(MODEL, 257, 32, seed=0)
    short, long = ([1, 2], [3, 4]), (list(range(20)), list(range(11)))
    together = score_windows(model, windows(task_tokens(short, long), END, 32), CPU)
    alone = [score_windows(model, windows(task_tokens(item), END, 32), CPU)[0] for item in (short, long)]
    assert together == pytest.approx(alone, rel=1e-5)


def test_a_uniform_model_needs_eight_bits_for_a_byte():
    model = new_decoder(MODEL, 256, 32, seed=0)
    torch.nn.init.zeros_(model.unembedding)
    bits = score_windows(model, windows(task_tokens(([5], [1, 2, 3])), 0, 32), CPU)
    assert bits == pytest.approx([24.0])


@pytest.mark.parametrize(("context", "continuation"), [(0, 1), (5, 3), (50, 3), (3, 8), (9, 8), (0, 9), (7, 33)])
def test_every_token_of_a_continuation_is_scored_once_with_all_the_context_that_fits(context, continuation):
    length = 8
    pair = list(range(context)), list(range(100, 100 + continuation))
    found = windows(task_tokens(pair), END, length)
    assert [int(token) for w in found for token in w.ids[w.given :]] == pair[1]
    for window in found:
        assert window.given >= 1
        assert len(window.ids) - 1 <= length
    whole = [END, *pair[0], *pair[1]]
    if continuation <= length:
        assert found[0].ids.tolist() == whole[-(length + 1) :]
    else:
        assert all(len(window.ids) == length + 1 for window in found[1:])


@pytest.fixture
def suite_folder(tmp_path):
    (tmp_path / "items.jsonl").write_text(
        json.dumps({"context": "ä b", "continuation": " cü"})
        + "\n"
        + json.dumps({"context": "", "continuation": "x"})
        + "\n"
    )
    (tmp_path / "suite.yaml").write_text("families: {f: {tasks: {t: {files: items.jsonl}}}}\n")
    return tmp_path


def read(folder):
    return read_suite(folder / "suite.yaml", folder, StatCache(folder / "cache.json"))


def test_sizes_are_utf8_bytes_of_the_continuation(suite_folder, tokenizer, store):
    tasks, end = read_tokens(store, make_items(read(suite_folder), tokenizer, store, silent))
    assert tasks["t"].sizes.tolist() == [4, 1]
    assert tasks["t"].lengths.tolist() == [[4, 4], [0, 1]]
    assert end == END


def test_an_empty_task_is_an_error(suite_folder, tokenizer, store):
    (suite_folder / "items.jsonl").write_text("")
    with pytest.raises(InputError, match="t has no item"):
        make_items(read(suite_folder), tokenizer, store, silent)


@pytest.fixture
def run(store, put_tokens):
    put_tokens("a" * 20, np.arange(5000) % 256)
    proxy = ProxyParams(model=MODEL, tokens=512, sequence_length=32, batch_size=4, learning_rate=1e-2)
    spec = RunSpec.of(proxy, 257, 0, {"a" * 20: 512})
    run_proxy(spec, {}, "", store, Execution(), silent)
    return spec


def test_an_evaluation_is_a_function_of_run_and_items(suite_folder, tokenizer, store, run):
    suite = read(suite_folder)
    items = make_items(suite, tokenizer, store, silent)
    key = evaluate(run, suite.content, items, store, 1, silent)
    scores = store.read_json("evaluation", key, "scores.json")["t"]
    with np.load(store.file("evaluation", key, "bits.npz")) as bits:
        assert scores["bpb"] == pytest.approx(bits["t"].sum() / 5)
    assert (scores["items"], scores["bytes"]) == (2, 5)
    assert store.manifest("evaluation", key)["inputs"]["run"] == run.key


def test_a_staged_evaluation_is_the_same_as_one_made_later(suite_folder, tokenizer, store, run):
    suite = read(suite_folder)
    items = make_items(suite, tokenizer, store, silent)
    stage_evaluation(run, store.path("proxy", run.key), suite.content, items, store, 1, silent)
    key = evaluation_key(run.key, suite.content)
    assert not store.has("evaluation", key)
    assert store.publish_staged("evaluation", key)
    staged = store.file("evaluation", key, "scores.json").read_text()
    (store.path("evaluation", key) / "manifest.json").unlink()
    evaluate(run, suite.content, items, store, 1, silent)
    assert store.file("evaluation", key, "scores.json").read_text() == staged


def test_a_damaged_checkpoint_is_not_scored(suite_folder, tokenizer, store, run):
    suite = read(suite_folder)
    items = make_items(suite, tokenizer, store, silent)
    (store.path("proxy", run.key) / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(WorkError, match="differs from its manifest"):
        evaluate(run, suite.content, items, store, 1, silent)


def test_a_checkpoint_of_an_unknown_architecture_is_not_scored(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(WorkError, match=r"found 'gpt2'; scored here: llama, olmo2; .*command_writes: scores"):
        load_foreign(tmp_path)


def test_names_weights_and_families_are_no_part_of_what_is_scored(suite_folder):
    before = read(suite_folder)
    (suite_folder / "suite.yaml").write_text("# moved\nfamilies: {g: {weight: 2, tasks: {t: {files: items.jsonl}}}}\n")
    assert read(suite_folder).content == before.content
    (suite_folder / "items.jsonl").rename(suite_folder / "renamed.jsonl")
    (suite_folder / "suite.yaml").write_text("families: {f: {tasks: {t: {files: renamed.jsonl}}}}\n")
    assert read(suite_folder).content == before.content
    assert file_md5(suite_folder / "renamed.jsonl") in read(suite_folder).tasks[0].files[0].identity


def test_weights_of_families_are_shared_by_their_tasks(suite_folder):
    (suite_folder / "suite.yaml").write_text(
        "families:\n  f: {weight: 3, tasks: {a: {files: items.jsonl}, b: {files: items.jsonl}}}\n"
        "  g: {tasks: {c: {files: items.jsonl}}}\n"
    )
    assert {task.name: task.weight for task in read(suite_folder).tasks} == {"a": 0.375, "b": 0.375, "c": 0.25}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("families: {f: {tasks: {t: {files: missing.jsonl}}}}", "tasks.t.files: 'missing.jsonl' matches no file"),
        ("families: {f: {weight: 0, tasks: {t: {files: items.jsonl}}}}", "all weights are 0"),
        (
            "families: {f: {tasks: {t: {files: items.jsonl}}}, g: {tasks: {t: {files: items.jsonl}}}}",
            "also in family 'f'",
        ),
        ("families: {}", "families: found"),
    ],
)
def test_mistakes_in_a_suite_file(suite_folder, text, message):
    (suite_folder / "suite.yaml").write_text(text)
    with pytest.raises(InputError, match=r"suite\.yaml") as error:
        read(suite_folder)
    assert message.split(": found")[0] in str(error.value)


def test_items_may_lie_behind_a_url(suite_folder, tokenizer, store):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/items/a.jsonl", (suite_folder / "items.jsonl").read_bytes())
    (suite_folder / "suite.yaml").write_text("families: {f: {tasks: {t: {files: 'memory://items/*.jsonl'}}}}\n")
    tasks, _ = read_tokens(store, make_items(read(suite_folder), tokenizer, store, silent))
    assert tasks["t"].sizes.tolist() == [4, 1]
    memory.rm("/items", recursive=True)
