"""A real S3 server in a process of its own, and the miniature project with its texts on it."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
import yaml

from tests.graph.conftest import accepted_base as accepted_base
from tests.miniature import write_yaml

BUCKET = "texts"
SECRET = "geheim-4711"


class Server:
    """Moto's server; requests are counted in its log."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self._log = f"http://127.0.0.1:{port}", folder / "server.log"
        self._seen = 0
        with self._log.open("w") as log:
            command = [sys.executable, "-m", "moto.server", "-p", str(port)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(300):
            if "Running on" in self._log.read_text():
                break
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        self.client = boto3.client("s3", endpoint_url=self.url, **keys)

    def put(self, key, data):
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data.encode() if isinstance(data, str) else data)

    def rename(self, key, new):
        self.client.copy_object(Bucket=BUCKET, Key=new, CopySource={"Bucket": BUCKET, "Key": key})
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def requests(self):
        """Requests since `forget`: (method, path with query)."""
        return re.findall(r'"(GET|HEAD|PUT|POST|DELETE) (.*) HTTP/1.1"', self._log.read_text()[self._seen :])

    def forget(self):
        """Count requests from now on."""
        self._seen = len(self._log.read_text())

    def downloads(self):
        """Paths of the objects that were downloaded since `forget`."""
        return [path for method, path in self.requests() if method == "GET" and "list-type" not in path]

    def require_credentials(self, on):
        """Let nobody in who is not known to the server, or everybody."""
        self.command("reset-auth", b"0" if on else b"Infinity")

    def command(self, name, data=b""):
        """A command of moto's own."""
        headers = {"Content-Type": "text/plain"}
        url = f"{self.url}/moto-api/{name}"
        urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers, method="POST")).read()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.process.terminate()
    started.process.wait(10)


@pytest.fixture
def s3(server, monkeypatch):
    """The server with an empty bucket, known to this process and its children by the environment alone."""
    server.command("reset")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server.forget()
    server.client.create_bucket(Bucket=BUCKET)
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()
    return server


@pytest.fixture
def on_s3(accepted_base, s3, tmp_path):
    """The accepted project, its texts moved to S3: nothing of them is left in its folder."""
    folder = tmp_path / "project"
    shutil.copytree(accepted_base, folder, ignore=shutil.ignore_patterns(".snakemake", ".cache"))
    for path in sorted((folder / "data/texts").iterdir()):
        s3.put(f"web/{path.name}", path.read_bytes())
        path.unlink()
    for path in (folder / "domains").iterdir():
        path.write_text(path.read_text().replace("data/texts/", f"s3://{BUCKET}/web/"))
    return folder


@pytest.fixture
def suite_on_s3(on_s3, s3):
    """The same with the items of its suite on S3, too."""
    suite = yaml.safe_load((on_s3 / "suite.yaml").read_text())
    for path in sorted((on_s3 / "data/suite").iterdir()):
        s3.put(f"suite/{path.name}", path.read_bytes())
        path.unlink()
    moved = json.dumps(suite).replace("data/suite/", f"s3://{BUCKET}/suite/")
    write_yaml(on_s3 / "suite.yaml", json.loads(moved))
    return on_s3


def everything_written(folder: Path):
    """Text of all files of a project but the domain files and suites, as far as it is text."""
    kept = (path for path in folder.rglob("*") if path.is_file() and "domains" not in path.parts)
    return "\n".join(path.read_text(errors="replace") for path in kept)
