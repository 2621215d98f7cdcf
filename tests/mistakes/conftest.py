"""A small project with tokens, items and plan in its store, and `olmix` in this process."""

import shutil
import sys

import pytest

from tests import miniature


def olmix(arguments, capsys):
    """Exit code, stdout and stderr of `olmix ...`, in this process and in the folder it is in."""
    from olmix.__main__ import main

    before, sys.argv = sys.argv, ["olmix", *map(str, arguments)]
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        sys.argv = before
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="session")
def planned_base(made_once):
    """A project that is planned. Not to be changed: use `planned`."""

    def fill(folder):
        from olmix.corpus.tokens import make_tokens
        from olmix.evaluation.items import make_items
        from olmix.project import Project

        miniature.build(folder)
        project = Project.load(folder)
        for leaf in project.leaves:
            make_tokens(leaf, project.tokenizer(), project.store, 1, lambda line: None)
        make_items(project.suite, project.tokenizer(), project.store, lambda line: None)
        project.make_plan()

    return made_once("planned", fill)


@pytest.fixture
def planned(planned_base, tmp_path, monkeypatch):
    """A copy of the planned project, which is the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(planned_base, folder)
    monkeypatch.chdir(folder)
    return folder
