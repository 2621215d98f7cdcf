import shutil

import pytest

from tests.graph.miniature import build, snakemake


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A miniature project in which `snakemake` has run once. Not to be changed: use `project`."""
    folder = build(tmp_path_factory.mktemp("finished"))
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr[-5000:]
    return folder


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project with fresh times and without Snakemake's own state, as after a clone."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns(".snakemake"), copy_function=shutil.copy)
    return folder
