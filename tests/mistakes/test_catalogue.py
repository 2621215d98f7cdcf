"""Every mistake of the catalogue ends in one line that says what is wrong, and nothing is written."""

import pytest

from olmix.errors import InputError
from olmix.project import Project
from tests.mistakes import (
    in_arguments,
    in_data,
    in_domains,
    in_fits,
    in_generations,
    in_params,
    in_stores,
    in_suites,
    in_tokenizers,
)
from tests.mistakes.conftest import olmix

SUBJECTS = (
    in_arguments, in_data, in_domains, in_fits, in_generations, in_params, in_stores, in_suites, in_tokenizers
)  # fmt: skip
CASES = {f"{module.__name__.rpartition('.')[2]}: {case.what}": case for module in SUBJECTS for case in module.CASES}


def written(folder):
    """Every file of store and results, with the time of its last change."""
    return {
        path: path.stat().st_mtime_ns
        for made in ("store", "results", "out")
        for path in (folder / made).rglob("*")
        if not path.is_dir()
    }


def keys():
    """What `{…}` in a command stands for."""
    try:
        project = Project.load()
    except InputError:
        return {}
    names = {leaf.name: key for leaf, key in zip(project.leaves, project.tokens_keys, strict=True)}
    return {"code": names.get("code"), "plan": project.plan_key}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_one_line(planned, capfd, name):
    case = CASES[name]
    case.change(planned)
    command = case.command.format_map(keys()) if "{" in case.command else case.command
    before = written(planned)
    code, out, err = olmix(command.split(" "), capfd)
    *progress, line = err.splitlines()
    assert (code, line) == (case.code, f"olmix: {case.message}")
    assert len(progress) == case.progress
    assert out == ""
    assert written(planned) == before
    assert not (planned / "pwned").exists()
    if case.code == 1:
        assert "olmix audit --repair" in line


def test_the_catalogue_names_each_case_once():
    assert len(CASES) == sum(len(module.CASES) for module in SUBJECTS) > 300
