"""Files behind URLs: found, identified by content, verified when they are read."""

import gzip
import hashlib
import io
import json
import os
from pathlib import Path

import pandas as pd
import pytest
import zstandard

from olmix.corpus.readers import read_documents
from olmix.domains.fingerprint import StatCache, fingerprint
from olmix.domains.remote import RemoteFile, find_remote
from olmix.domains.schema import read_domains
from olmix.errors import InputError, WorkError
from tests.remote.conftest import BUCKET, SECRET

TEXTS = ["first document", "zweites – mit Umlaut ä", "third\nwith two lines"]
JSONL = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)


@pytest.fixture
def leaf_of(tmp_path):
    """Fingerprints the leaf `web` with these files, with the cache of a project."""
    (tmp_path / "domains").mkdir()

    def read(files, cache=None):
        (tmp_path / "domains/web.yaml").write_text(f"files: {json.dumps(files)}\n")
        cache = cache or StatCache(tmp_path / "cache.json")
        (leaf,) = fingerprint(read_domains(tmp_path / "domains"), tmp_path, cache)
        return leaf

    return read


def parquet():
    stream = io.BytesIO()
    pd.DataFrame({"text": TEXTS}).to_parquet(stream)
    return stream.getvalue()


FORMATS = {
    "jsonl": JSONL.encode(),
    "jsonl.gz": gzip.compress(JSONL.encode()),
    "jsonl.zst": zstandard.compress(JSONL.encode()),
    "parquet": parquet(),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_files_here_and_on_s3_are_the_same_leaf_with_the_same_documents(leaf_of, s3, tmp_path, kind):
    (tmp_path / f"a.{kind}").write_bytes(FORMATS[kind])
    s3.put(f"deep/down/other-name.{kind}", FORMATS[kind])
    here, there = leaf_of(f"a.{kind}"), leaf_of(f"s3://{BUCKET}/**/*.{kind}")
    assert here.content == there.content
    assert list(read_documents(there)) == list(read_documents(here)) == TEXTS


def test_an_object_uploaded_in_parts_is_the_same_leaf(leaf_of, s3, tmp_path):
    data = "".join(json.dumps({"text": f"document {i}" * 50}) + "\n" for i in range(20_000)).encode()
    (tmp_path / "a.jsonl").write_bytes(data)
    upload = {"Bucket": BUCKET, "Key": "a.jsonl"}
    number = s3.client.create_multipart_upload(**upload)["UploadId"]
    parts = [
        s3.client.upload_part(**upload, UploadId=number, PartNumber=i, Body=part)["ETag"]
        for i, part in enumerate((data[: 6 << 20], data[6 << 20 :]), start=1)
    ]
    done = {"Parts": [{"PartNumber": i, "ETag": tag} for i, tag in enumerate(parts, start=1)]}
    s3.client.complete_multipart_upload(**upload, UploadId=number, MultipartUpload=done)
    assert "-2" in s3.client.head_object(**upload)["ETag"]
    there = leaf_of(f"s3://{BUCKET}/a.jsonl")
    assert there.content == leaf_of("a.jsonl").content
    assert len(list(read_documents(there))) == 20_000


def test_an_unchanged_object_is_read_once(leaf_of, s3):
    for name in ("a", "b"):
        s3.put(f"{name}.jsonl", JSONL + json.dumps({"text": name}) + "\n")
    before = leaf_of(f"s3://{BUCKET}/*.jsonl").content
    read = len(s3.downloads())
    assert read == 2
    assert leaf_of(f"s3://{BUCKET}/*.jsonl").content == before
    assert len(s3.downloads()) == read
    s3.put("b.jsonl", JSONL)
    assert leaf_of(f"s3://{BUCKET}/*.jsonl").content != before
    assert len(s3.downloads()) == read + 1


def test_what_was_read_before_a_failure_is_not_read_again(leaf_of, s3, monkeypatch, tmp_path):
    for name in "abc":
        s3.put(f"{name}.jsonl", json.dumps({"text": name}) + "\n")
    read = RemoteFile.md5

    def fail_at_c(file):
        if file.name.endswith("c.jsonl"):
            raise InputError("cut off")
        return read(file)

    monkeypatch.setattr(RemoteFile, "md5", fail_at_c)
    with pytest.raises(InputError, match="cut off"):
        leaf_of(f"s3://{BUCKET}/*.jsonl")
    assert "/a.jsonl" in (tmp_path / "cache.json").read_text()
    assert "/c.jsonl" not in (tmp_path / "cache.json").read_text()


@pytest.mark.parametrize("change", ["other bytes", "the same size", "gone"])
def test_an_object_that_changes_after_it_was_identified_is_an_error_that_names_it(leaf_of, s3, change):
    s3.put("a.jsonl", JSONL)
    leaf = leaf_of(f"s3://{BUCKET}/*.jsonl")
    if change == "gone":
        s3.client.delete_object(Bucket=BUCKET, Key="a.jsonl")
    else:
        s3.put("a.jsonl", JSONL.replace("first", "FIRST") if change == "the same size" else '{"text": "x"}\n')
    with pytest.raises(WorkError, match=rf"s3://{BUCKET}/a\.jsonl: changed or went away after it was identified"):
        list(read_documents(leaf))


def test_an_object_whose_server_does_not_tell_of_changes_is_found_out_when_it_is_read(leaf_of, s3):
    """The cache vouches for other bytes, as it would after a change that kept ETag, size and date."""
    s3.put("a.jsonl", JSONL)

    class Lying(StatCache):
        def recall(self, name, seen):
            return "md5:" + "0" * 32

    leaf = leaf_of(f"s3://{BUCKET}/*.jsonl", Lying(Path("none.json")))
    with pytest.raises(WorkError, match=r"a\.jsonl: changed .* remove \.cache/olmix/files\.json"):
        next(read_documents(leaf))


def test_no_copy_is_left_behind(leaf_of, s3, tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    s3.put("a.jsonl", JSONL)
    documents = read_documents(leaf_of(f"s3://{BUCKET}/a.jsonl"))
    next(documents)
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    documents.close()
    assert list((tmp_path / "tmp").iterdir()) == []


STRANGE = [
    "web/../../up.jsonl",
    "web/qu'o\"te s.jsonl",
    "web/#1 %20[x].jsonl",
    "web/a::b.jsonl",
    "web/$(touch x);.jsonl",
]


def test_strange_keys_are_names_like_others(leaf_of, s3, tmp_path):
    for i, key in enumerate(STRANGE):
        s3.put(key, json.dumps({"text": str(i)}) + "\n")
    before = sorted(path for path in tmp_path.parent.rglob("*"))
    leaf = leaf_of(f"s3://{BUCKET}/**/*.jsonl")
    assert sorted(read_documents(leaf)) == [str(i) for i in range(len(STRANGE))]
    new = {path.name for path in tmp_path.parent.rglob("*") if path not in before}
    assert new == {"web.yaml", "cache.json"}


def test_a_name_with_a_newline_stays_one_line_of_a_message(leaf_of):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/strange/a\n..\n.jsonl", b'{"body": "x"}\n')
    try:
        leaf = leaf_of("memory://strange/*.jsonl")
        with pytest.raises(InputError, match=r"a\\n\.\.\\n\.jsonl: row 1: field 'text' is absent"):
            list(read_documents(leaf))
    finally:
        memory.rm("/strange", recursive=True)


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIA:{SECRET}@bucket/x.jsonl",
        f"s3://AKIA:{SECRET[:3]}/{SECRET}@bucket/x.jsonl",
        f"https://user:{SECRET}@host/x.jsonl",
        f"https://{SECRET}@host/x.jsonl",
        f"simplecache::ftp://user:{SECRET}@host/x.jsonl",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(leaf_of, url):
    with pytest.raises(InputError, match=r"web\.yaml: files: a \w+:// URL holds a user name or password") as error:
        leaf_of(url)
    assert SECRET not in str(error.value)


def test_the_signature_of_a_url_is_neither_shown_nor_kept(leaf_of, s3, tmp_path):
    s3.put("a.jsonl", JSONL)
    signed = s3.client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a.jsonl"})
    if "Signature" not in signed:
        pytest.fail(signed)
    leaf = leaf_of(signed)
    assert list(read_documents(leaf)) == TEXTS
    assert leaf.files[0].path == f"{s3.url}/{BUCKET}/a.jsonl?…"
    assert "Signature" not in (tmp_path / "cache.json").read_text()
    with pytest.raises(InputError, match=r"no\.jsonl\?…") as error:
        leaf_of(signed.replace("a.jsonl", "no.jsonl"))
    assert "Signature" not in str(error.value)


def test_a_server_that_says_nothing_of_versions_is_refused(leaf_of):
    import fsspec

    class Silent(fsspec.get_filesystem_class("memory")):
        protocol = "silent"
        store = {"/a.jsonl": None}

        def info(self, path, **_):
            return {"name": path, "size": 3, "type": "file"}

    fsspec.register_implementation("silent", Silent, clobber=True)
    with pytest.raises(InputError, match=r"gives no ETag, version or date"):
        leaf_of("silent://a.jsonl")


@pytest.mark.parametrize("pattern", ["**/*.jsonl", "*/*.jsonl"])
def test_a_folder_that_may_not_be_listed_is_no_empty_folder(leaf_of, pattern):
    import fsspec

    memory = fsspec.get_filesystem_class("memory")

    class Guarded(memory):
        store, pseudo_dirs = {}, [""]

        def ls(self, path, **options):
            if "shut" in path:
                raise PermissionError("not for you")
            return super().ls(path, **options)

    fsspec.register_implementation("memory", Guarded, clobber=True)
    try:
        guarded = fsspec.filesystem("memory")
        guarded.pipe("/web/open/a.jsonl", JSONL.encode())
        assert list(read_documents(leaf_of(f"memory://web/{pattern}"))) == TEXTS
        guarded.pipe("/web/shut/b.jsonl", JSONL.encode())
        with pytest.raises(InputError, match="access denied: not for you"):
            leaf_of(f"memory://web/{pattern}")
    finally:
        fsspec.register_implementation("memory", memory, clobber=True)


KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": SECRET}
WAYS = {
    "AWS_ENDPOINT_URL": KEYS | {"AWS_ENDPOINT_URL": "URL"},
    "AWS_ENDPOINT_URL_S3": KEYS | {"AWS_ENDPOINT_URL_S3": "URL"},
    "AWS keys, FSSPEC_S3_ENDPOINT_URL": KEYS | {"FSSPEC_S3_ENDPOINT_URL": "URL"},
    "FSSPEC_S3_*": {"FSSPEC_S3_ENDPOINT_URL": "URL", "FSSPEC_S3_KEY": "test", "FSSPEC_S3_SECRET": SECRET},
    "FSSPEC_S3, public": {"FSSPEC_S3": json.dumps({"endpoint_url": "URL", "anon": True})},
    "a file of fsspec": {"FSSPEC_CONFIG_DIR": "FOLDER/fsspec"},
    "a profile of AWS": {"AWS_CONFIG_FILE": "FOLDER/aws", "AWS_PROFILE": "mine"},
}


@pytest.mark.parametrize("way", WAYS)
def test_endpoint_and_credentials_come_from_wherever_users_keep_them(s3, tmp_path, monkeypatch, way):
    from fsspec import config

    s3.put("a.jsonl", JSONL)
    s3.client.put_object_acl(Bucket=BUCKET, Key="a.jsonl", ACL="public-read")
    (tmp_path / "aws").write_text(
        f"[profile mine]\nendpoint_url = {s3.url}\nregion = us-east-1\n"
        f"aws_access_key_id = test\naws_secret_access_key = {SECRET}\n"
    )
    (tmp_path / "fsspec").mkdir()
    given = {"endpoint_url": s3.url, "key": "test", "secret": SECRET}
    (tmp_path / "fsspec/conf.json").write_text(json.dumps({"s3": given}))
    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    given = {k: v.replace("URL", s3.url).replace("FOLDER", str(tmp_path)) for k, v in WAYS[way].items()}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    # What fsspec does when it is imported.
    conf = {}
    config.set_conf_files(given.pop("FSSPEC_CONFIG_DIR", "nowhere"), conf)
    config.set_conf_env(conf, given)
    monkeypatch.setitem(config.conf, "s3", conf.get("s3", {}))
    (file,) = find_remote(f"s3://{BUCKET}/*.jsonl", "w")
    assert file.md5() == f"md5:{hashlib.md5(JSONL.encode()).hexdigest()}"
