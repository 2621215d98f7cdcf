import os
import shutil

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from olmix.corpus.tokenizer import load_tokenizer
from olmix.digest import digest
from olmix.params import TokenizerParams
from olmix.store import Store
from tests.browser import browser as browser
from tests.miniature import build, snakemake

# A busy machine must not fail a property, and a failure must come again.
settings.register_profile("olmix", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("olmix")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=4, help="kills at random moments in tests/graph/test_kill_sweep.py")


def pytest_collection_modifyitems(items):
    """What takes longest comes first."""
    items.sort(key=lambda item: ("finished" not in item.fixturenames, "accepted" not in item.fixturenames))


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    """A byte-level tokenizer of 257 tokens: every byte, and end of text."""
    import json

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("tokenizer")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: i for i, character in enumerate(alphabet)} | {"<|endoftext|>": len(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    found = digest(json.loads((folder / "tokenizer.json").read_text()))
    return load_tokenizer(TokenizerParams(path=str(folder), digest=found), folder)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def put_tokens(store):
    """Puts a token array into the store under a key of one's choice."""
    import numpy as np

    def put(key, tokens):
        with store.publish("tokens", key) as draft:
            np.save(draft.path / "tokens.npy", np.asarray(tokens, np.uint16))
            draft.facts = {"tokens": len(tokens)}
        return key

    return put


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Makes a folder once for all workers of a test run: the first one makes it, the others wait for it."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root

    def make(name, fill):
        folder, done = root / name, root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def finished(made_once):
    """A miniature project in which `snakemake` has run once. Not to be changed: use `project`."""

    def fill(folder):
        build(folder)
        done = snakemake(folder)
        assert done.returncode == 0, done.stderr[-5000:]

    return made_once("finished", fill)


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project with fresh times and without Snakemake's own state, as after a clone."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns(".snakemake"), copy_function=shutil.copy)
    return folder
