"""A miniature project with a known law for a trainer, so that its graph runs in seconds."""

import json
import shutil
import subprocess

import pytest
import yaml

from tests.miniature import ROOT, build, change_params, run, sentences, snakemake, write_jsonl, write_yaml

LAW = {
    "tasks": {
        "code": {"c": 0.5, "t": {"code": -0.8, "maths": -0.2, "web:games": 0.1, "web:news": 0.2}},
        "games": {"c": 0.6, "t": {"code": -0.1, "maths": -0.1, "web:games": -0.8, "web:news": -0.3}},
        "maths": {"c": 0.7, "t": {"code": -0.2, "maths": -0.7, "web:games": 0.2, "web:news": 0.1}},
        "news": {"c": 0.8, "t": {"code": 0.1, "maths": 0.3, "web:games": -0.3, "web:news": -0.9}},
    },
    "noise": 0.002,
}
NEW_LEAVES = ("poems", "prose", "python", "web:a", "web:b", "web:all", "web:press")


@pytest.fixture(scope="session")
def accepted_base(made_once):
    """Made, recorded in DVC, accepted and committed. Not to be changed: use `accepted`."""
    return made_once("accepted", build_accepted)


def build_accepted(folder):
    build(folder)
    shutil.copy(ROOT / "tests/known_law.py", folder / "trainer.py")
    law = json.loads(json.dumps(LAW))
    for i, task in enumerate(law["tasks"].values()):
        task["t"] |= dict.fromkeys(NEW_LEAVES, 0.1 * i - 0.2)
    (folder / "law.json").write_text(json.dumps(law))
    change_params(
        folder,
        proxy={"command": "python trainer.py law.json", "command_writes": "scores", "warmup": 0.1, "clip": 0.5},
    )
    news = sentences("news", 250, seed=0)
    (folder / "data/texts/news.jsonl").unlink()
    for number, part in enumerate((news[:120], news[120:])):
        write_jsonl(folder / f"data/texts/news-{number}.jsonl", [{"text": text} for text in part])
    topics = {"news": {"files": "data/texts/news-*.jsonl"}, "games": {"files": "data/texts/games.jsonl"}}
    write_yaml(folder / "domains/web.yaml", {"topics": topics})
    write_maths(folder)
    stages_without_texts(folder)
    git(folder, "init", "-q")
    dvc(folder, "init", "-q")
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    for command in ("record", "accept"):
        done = run(folder, "olmix", command)
        assert done.returncode == 0, done.stderr
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "accepted")


def stages_without_texts(folder):
    """Let dvc.yaml be that of the default project, but for the texts and the suite, which are there already."""
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())
    stages["stages"]["texts"] = {"cmd": "true", "outs": [{f"data/{n}": {"persist": True}} for n in ("texts", "suite")]}
    for stage in stages["stages"].values():
        stage["deps"] = ["suite.yaml" if dep == "suites" else dep for dep in stage.get("deps", [])]
    write_yaml(folder / "dvc.yaml", stages)


@pytest.fixture
def accepted(accepted_base, tmp_path):
    """A copy of the accepted project with fresh times and without Snakemake's own state, as after a clone."""
    folder = tmp_path / "project"
    shutil.copytree(accepted_base, folder, ignore=shutil.ignore_patterns(".snakemake"), copy_function=shutil.copy)
    return folder


def write_maths(folder, seed=0):
    """A file of more than a megabyte, most of it a field that is no text."""
    rows = [{"text": text, "note": "x" * 12_000} for text in sentences("maths", 100, seed)]
    write_jsonl(folder / "data/texts/maths.jsonl", rows)
    assert (folder / "data/texts/maths.jsonl").stat().st_size > 1_000_000


def dvc(folder, *arguments):
    """Output of a DVC command that must not fail."""
    done = run(folder, "dvc", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def clone_and_pull(folder, url=None, **settings):
    """A clone of a project beside it, with what DVC has of it, by way of a remote (a folder, if no URL is given)."""
    dvc(folder, "remote", "add", "-d", "shared", url or str(folder.parent / "remote"))
    for name, value in settings.items():
        dvc(folder, "remote", "modify", "shared", name, value)
    git(folder, "commit", "-qam", "remote")
    dvc(folder, "push", "-q")
    git(folder.parent, "clone", "-q", str(folder), "clone")
    clone = folder.parent / "clone"
    assert not (clone / "store/proxy").exists()
    dvc(clone, "pull", "-q")
    return clone
