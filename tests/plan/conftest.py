import pytest

from olmix.plan.imports import import_notes, import_runs, read_imports
from tests.plan.import_tables import LEAVES, MIXTURES, PROXY, SCORES, SUITE, write


@pytest.fixture
def adopt(tmp_path):
    """Imports two tables into tmp_path."""

    def adopt(mixtures=MIXTURES, scores=SCORES, name="other", leaves=LEAVES, suite=SUITE, proxy=PROXY):
        ratios, metrics = write(tmp_path / "ratios.csv", mixtures), write(tmp_path / "metrics.csv", scores)
        return import_runs(tmp_path, name, ratios, metrics, leaves, suite, proxy)

    return adopt


@pytest.fixture
def notes(tmp_path):
    def notes(mixtures=MIXTURES, scores=SCORES, leaves=LEAVES, suite=SUITE):
        ratios, metrics = write(tmp_path / "ratios.csv", mixtures), write(tmp_path / "metrics.csv", scores)
        return "\n".join(import_notes(ratios, metrics, leaves, suite)).replace(f"{tmp_path}/", "")

    return notes


@pytest.fixture
def read(tmp_path):
    """Reads evidence/ of tmp_path as planning does."""

    def read(leaves=LEAVES, suite=SUITE, proxy=PROXY):
        return read_imports(tmp_path / "evidence", leaves, suite, proxy)

    return read
