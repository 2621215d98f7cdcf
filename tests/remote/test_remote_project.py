"""A project whose texts, items and store lie on S3: what is made again, what is downloaded, what is said."""

import json
import os
import shutil

import pytest
import yaml

from tests.graph.conftest import clone_and_pull, dvc
from tests.miniature import planned_jobs, run, sentences, snakemake, write_yaml
from tests.remote.conftest import BUCKET, SECRET, everything_written


def test_moving_the_texts_to_s3_reruns_nothing_and_a_no_op_downloads_nothing(suite_on_s3, s3):
    assert planned_jobs(suite_on_s3) == {}
    assert len(s3.downloads()) == 9  # each of 5 files of text and 4 of items once, to identify them
    s3.forget()
    done = snakemake(suite_on_s3)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Nothing to be done" in done.stdout + done.stderr
    assert s3.downloads() == []


def test_renamed_objects_cost_no_job(on_s3, s3):
    for name in ("news-0", "code"):
        s3.rename(f"web/{name}.jsonl", f"moved/{name}-x.jsonl")
    write_yaml(on_s3 / "domains/code.yaml", {"files": f"s3://{BUCKET}/moved/code-x.jsonl"})
    topics = yaml.safe_load((on_s3 / "domains/web.yaml").read_text())["topics"]
    topics["news"] = {"files": [f"s3://{BUCKET}/web/news-*.jsonl", f"s3://{BUCKET}/moved/news-*.jsonl"]}
    write_yaml(on_s3 / "domains/web.yaml", {"topics": topics})
    assert planned_jobs(on_s3) == {}


def test_a_revised_object_reruns_the_work_of_its_leaf_only(on_s3, s3):
    assert planned_jobs(on_s3) == {}
    s3.forget()
    s3.put("web/news-1.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in sentences("news", 130, seed=8)))
    planned = planned_jobs(on_s3)
    assert planned["tokens"] == 1
    assert "items" not in planned
    assert s3.downloads() == [f"/{BUCKET}/web/news-1.jsonl"]
    done = snakemake(on_s3)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("rule tokens:") <= 2  # one job, which Snakemake may announce twice
    # Both objects of the leaf once more, for its tokens; no object of any other leaf.
    assert sorted(set(s3.downloads())) == [f"/{BUCKET}/web/news-0.jsonl", f"/{BUCKET}/web/news-1.jsonl"]
    assert len(s3.downloads()) == 3
    assert planned_jobs(on_s3) == {}


def test_everything_is_made_from_s3(suite_on_s3, s3):
    """From nothing, the store that local files gave; secrets are in nothing that was written."""
    shutil.rmtree(suite_on_s3 / "mixtures")
    (suite_on_s3 / "mixtures").mkdir()
    before = {path.parent.name for path in (suite_on_s3 / "store").glob("*/*/manifest.json")}
    shutil.rmtree(suite_on_s3 / "store")
    shutil.rmtree(suite_on_s3 / "results")
    done = snakemake(suite_on_s3)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path.parent.name for path in (suite_on_s3 / "store").glob("*/*/manifest.json")} == before
    assert len(s3.downloads()) == 18  # to identify 9 files, and to make tokens of them
    assert SECRET not in everything_written(suite_on_s3) + done.stdout + done.stderr


def test_an_object_that_changes_while_tokens_are_made_fails_the_job_that_reads_it(on_s3, s3, monkeypatch):
    """The object is replaced by the first process that has identified everything."""
    s3.put("web/code.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in sentences("code", 300, seed=5)))
    patch = on_s3 / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'tokens' in sys.argv:\n"
        "    import boto3, olmix.domains.remote as remote\n"
        "    fetched = remote.RemoteFile.fetched\n"
        "    def late(file, identity):\n"
        f"        boto3.client('s3').put_object(Bucket={BUCKET!r}, Key='web/code.jsonl', Body=b'{{}}')\n"
        "        return fetched(file, identity)\n"
        "    remote.RemoteFile.fetched = late\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(patch), prepend=os.pathsep)
    done = snakemake(on_s3)
    assert done.returncode == 1
    assert f"olmix: s3://{BUCKET}/web/code.jsonl: changed or went away after it was identified" in done.stderr
    assert "Traceback" not in done.stderr


def missing_package(folder, s3, monkeypatch):
    (folder / "patch/s3fs").mkdir(parents=True)
    (folder / "patch/s3fs/__init__.py").write_text("raise ImportError('no s3fs')\n")
    monkeypatch.setenv("PYTHONPATH", str(folder / "patch"), prepend=os.pathsep)


def away(folder, s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


def denied(folder, s3, monkeypatch):
    s3.require_credentials(True)


def no_credentials(folder, s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder / "nobody"))


def files(url):
    return lambda folder, s3, monkeypatch: write_yaml(folder / "domains/code.yaml", {"files": url})


MISTAKES = {
    "package missing": (missing_package, "S3 needs the package s3fs: pip install 'olmix-graph[s3]'"),
    "server away": (away, "the server cannot be reached: Could not connect"),
    "access denied": (denied, "access denied: "),
    "no credentials": (no_credentials, "no usable credentials: Unable to locate credentials"),
    "bucket missing": (files("s3://elsewhere/*.jsonl"), "s3://elsewhere/*.jsonl: no such bucket on this server"),
    "bucket of one object missing": (files("s3://elsewhere/a.jsonl"), "no such bucket on this server"),
    "no match": (files(f"s3://{BUCKET}/web/z*.jsonl"), f"'s3://{BUCKET}/web/z*.jsonl' matches no file"),
    "no folder": (files(f"s3://{BUCKET}/x/*.jsonl"), f"'s3://{BUCKET}/x/*.jsonl' matches no file"),
    "no object": (files(f"s3://{BUCKET}/web/z.jsonl"), f"'s3://{BUCKET}/web/z.jsonl' matches no file"),
    "a password": (files(f"s3://AKIA:{SECRET}@texts/*.jsonl"), "a s3:// URL holds a user name or password"),
    "unknown protocol": (files("s4://texts/*.jsonl"), "Protocol not known: s4"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_exit_code_2(on_s3, s3, monkeypatch, name):
    mistake, message = MISTAKES[name]
    mistake(on_s3, s3, monkeypatch)
    try:
        done = run(on_s3, "snakemake", "-n")
    finally:
        s3.require_credentials(False)
    assert done.returncode == 2, done.stderr[-2000:]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("olmix: domains/code.yaml: files: ")
    assert message in last
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_the_store_is_shared_through_s3(on_s3, s3):
    """Push, clone, pull: nothing is left to do; texts and store are both on S3."""
    clone = clone_and_pull(on_s3, f"s3://{BUCKET}/store", endpointurl=s3.url)
    assert planned_jobs(clone) == {}
    assert any(path.startswith(f"/{BUCKET}/store/") for method, path in s3.requests() if method == "PUT")
    assert "Cache and remote" in dvc(clone, "status", "--cloud")
    assert SECRET not in everything_written(clone)
