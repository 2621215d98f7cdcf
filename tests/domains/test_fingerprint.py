import os
import subprocess
import sys
import time

import pytest

from olmix.corpus.readers import read_documents
from olmix.digest import file_md5
from olmix.domains.fingerprint import StatCache, fingerprint
from olmix.domains.schema import read_domains
from olmix.errors import InputError, WorkError


@pytest.fixture
def project(tmp_path):
    (tmp_path / "domains").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a1.jsonl").write_text('{"text": "one"}\n')
    (tmp_path / "data/a2.jsonl").write_text('{"text": "two"}\n')
    (tmp_path / "data/b.jsonl").write_text('{"text": "three"}\n')
    (tmp_path / "domains/a.yaml").write_text("files: data/a*.jsonl\n")
    (tmp_path / "domains/b.yaml").write_text("files: data/b.jsonl\n")
    return tmp_path


def contents(project, cache=None):
    cache = cache or StatCache(project / "cache.json")
    leaves = fingerprint(read_domains(project / "domains"), project, cache)
    return {leaf.name: leaf.content for leaf in leaves}


def test_what_is_no_file_is_left_out_and_a_path_may_be_written_in_any_way(project):
    before = contents(project)
    (project / "data/a3.jsonl").symlink_to("a3.jsonl")
    (project / "data/a4.jsonl").symlink_to("gone.jsonl")
    (project / "data/a5.jsonl").mkdir()
    (project / "domains/a.yaml").write_text("files: .//data/./a*.jsonl\n")
    (project / "domains/b.yaml").write_text(f"files: {project}/data/b.jsonl\n")
    assert contents(project) == before


def test_names_times_order_and_comments_do_not_matter(project):
    before = contents(project)
    (project / "data/a1.jsonl").rename(project / "data/a9.jsonl")
    os.utime(project / "data/a2.jsonl", (1, 1))
    (project / "domains/a.yaml").write_text("# a comment\ndescription: x\nfiles: [data/a9.jsonl, data/a2.jsonl]\n")
    (project / "domains/b.yaml").rename(project / "domains/c.yaml")
    after = contents(project)
    assert after == {"a": before["a"], "c": before["b"]}


@pytest.mark.parametrize(
    "change",
    [
        lambda p: (p / "data/a1.jsonl").write_text('{"text": "One"}\n'),
        lambda p: (p / "data/a3.jsonl").write_text('{"text": "one"}\n'),
        lambda p: (p / "data/a2.jsonl").unlink(),
        lambda p: (p / "domains/a.yaml").write_text("files: data/a*.jsonl\ntext: body\n"),
        lambda p: (p / "domains/a.yaml").write_text("files: data/a*.jsonl\nfilters: {min_chars: 2}\n"),
        lambda p: (p / "domains/a.yaml").write_text("files: data/a*.jsonl\nformat: text\n"),
    ],
    ids=["bytes", "a copy of a file", "a file less", "text field", "filter", "format"],
)
def test_what_matters_changes_one_leaf(project, change):
    before = contents(project)
    change(project)
    after = contents(project)
    assert after["a"] != before["a"]
    assert after["b"] == before["b"]


def test_options_that_a_format_does_not_use_do_not_matter(project):
    before = contents(project)
    (project / "domains/a.yaml").write_text("files: data/a*.jsonl\nsample_by: line\nformat: jsonl\n")
    assert contents(project) == before


def test_unchanged_files_are_not_read_again(project, monkeypatch):
    for path in (project / "data").iterdir():
        os.utime(path, (1, 1))
    cache = StatCache(project / "cache.json")
    before = contents(project, cache)
    cache.save()
    monkeypatch.setattr("olmix.domains.fingerprint.file_md5", lambda path: pytest.fail(f"{path} was read"))
    assert contents(project) == before


def test_a_changed_file_of_the_same_size_is_read_again(project):
    cache = StatCache(project / "cache.json")
    before = contents(project, cache)
    cache.save()
    (project / "data/b.jsonl").write_text('{"text": "THREE"}\n')
    assert contents(project)["b"] != before["b"]


def test_a_file_of_this_very_moment_is_read_again_next_time(project):
    os.utime(project / "data/a1.jsonl", (1, 1))
    cache = StatCache(project / "cache.json")
    contents(project, cache)
    cache.save()
    known = (project / "cache.json").read_text()
    assert "data/a1.jsonl" in known
    assert "data/b.jsonl" not in known


def test_fingerprinting_writes_nothing_by_itself(project):
    contents(project)
    assert not (project / "cache.json").exists()


def test_a_damaged_cache_only_costs_time(project):
    before = contents(project)
    (project / "cache.json").write_text("{")
    assert contents(project) == before


def test_a_pattern_without_files_is_an_error(project):
    (project / "domains/b.yaml").write_text("files: data/nothing*.jsonl\n")
    with pytest.raises(InputError, match=r"b\.yaml: files: 'data/nothing\*\.jsonl' matches no file"):
        contents(project)


def test_two_leaves_with_one_content_are_an_error(project):
    (project / "data/copy.jsonl").write_text('{"text": "three"}\n')
    (project / "domains/c.yaml").write_text("files: data/copy.jsonl\n")
    with pytest.raises(InputError, match="c holds exactly the content of b"):
        contents(project)


def test_an_unknown_suffix_asks_for_the_format(project):
    (project / "data/x.bin").write_text("x")
    (project / "domains/x.yaml").write_text("files: data/x.bin\n")
    with pytest.raises(InputError, match=r"no known format for '\.bin'; set `format`"):
        contents(project)


def test_files_that_dvc_tracks_keep_their_identity_when_they_are_not_pulled(project):
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    subprocess.run([*dvc, "init", "-q"], cwd=project, check=True)
    before = contents(project)
    subprocess.run([*dvc, "add", "-q", "data/a1.jsonl", "data/a2.jsonl"], cwd=project, check=True)
    assert contents(project) == before
    (project / "data/a1.jsonl").unlink()
    (project / "data/a2.jsonl").unlink()
    assert contents(project) == before


def test_a_file_url_is_the_local_file(project):
    before = contents(project)
    (project / "domains/b.yaml").write_text(f"files: file://{project}/data/b.jsonl\n")
    assert contents(project) == before
    os.utime(project / "data/b.jsonl")
    assert contents(project) == before


def test_a_file_that_changes_while_it_is_hashed_is_told(project, monkeypatch):
    path = project / "data/b.jsonl"

    def hash_slowly(read):
        found = file_md5(read)
        if read == path:
            path.write_text('{"text": "four!"}\n')
        return found

    monkeypatch.setattr("olmix.domains.fingerprint.file_md5", hash_slowly)
    with pytest.raises(WorkError, match=r"b\.jsonl: changed while it was read"):
        contents(project)


@pytest.mark.parametrize("back", [False, True])
def test_a_file_that_changes_while_it_is_read_is_told(project, back):
    """Also where its old bytes are back in the end: nobody knows which were read."""
    leaf = fingerprint(read_domains(project / "domains"), project, StatCache(project / "cache.json"))[1]
    path = project / "data/b.jsonl"
    before = path.read_text()
    documents = read_documents(leaf)
    assert next(documents) == "three"
    path.write_text('{"text": "other"}\n')
    if back:
        path.write_text(before)
    with pytest.raises(WorkError, match=r"b\.jsonl: changed while it was read"):
        next(documents)


def test_a_file_that_goes_away_is_told(project):
    leaf = fingerprint(read_domains(project / "domains"), project, StatCache(project / "cache.json"))[1]
    (project / "data/b.jsonl").unlink()
    with pytest.raises(InputError, match=r"b\.jsonl: not in the work tree"):
        next(read_documents(leaf))


def test_a_file_from_the_future_is_read_each_time(project):
    """Where a clock went back, a time that is to come may come again with other bytes."""
    cache = StatCache(project / "cache.json")
    os.utime(project / "data/b.jsonl", (time.time() + 1000,) * 2)
    os.utime(project / "data/a1.jsonl", (1, 1))
    contents(project, cache)
    cache.save()
    assert str(project / "data/b.jsonl") not in (project / "cache.json").read_text()


def test_an_edit_in_place_that_keeps_size_and_time_is_seen(project):
    """As by `cp --preserve` onto the file: the time of its last change of any kind tells."""
    cache = StatCache(project / "cache.json")
    path = project / "data/b.jsonl"
    os.utime(path, (1, 1))
    before = contents(project, cache)["b"]
    path.write_text(path.read_text().replace("three", "eerht"))
    os.utime(path, (1, 1))
    assert contents(project, cache)["b"] != before
