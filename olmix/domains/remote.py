"""Files behind URLs, through fsspec: found, told apart, read. A secret in a URL is never shown or kept."""

import hashlib
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from olmix.domains.schema import compression_of
from olmix.errors import InputError, WorkError

_BLOCK = 8 << 20
_AT_ONCE = 8
_SAVE_EVERY = 20.0
_VALIDATORS = (
    *("ETag", "etag", "VersionId", "generation", "md5Hash", "Content-MD5", "blob_id"),
    *("LastModified", "Last-Modified", "last_modified", "updated", "mtime", "created"),
)
"""What servers say of a file that is another after every write."""
_PATIENCE = {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2, "mode": "standard"}}
"""A server that is away is reported in less than a minute; s3fs tries again on top of this."""

_AWAY = {"EndpointConnectionError", "HTTPClientError", "ClientConnectionError", "ConnectionError", "TimeoutError"}


class Cache(Protocol):
    """Identities of files that have been read before."""

    def recall(self, name: str, seen: list[Any]) -> str | None:
        """Identity of a file that still looks as it did."""

    def learn(self, name: str, seen: list[Any], identity: str) -> None:
        """Keep the identity of a file that looks so."""

    def save(self) -> None:
        """Write what was learnt."""


@dataclass(frozen=True)
class RemoteFile:
    """One file behind a URL.

    url: as it is shown, on one line and without secrets; key: what the cache knows it by; seen: what the server says
    of this version of it.
    """

    fs: Any
    name: str
    url: str
    key: str
    seen: list[Any]
    where: str

    def md5(self) -> str:
        """Identity of what it holds now, read in full."""
        state = hashlib.md5(usedforsecurity=False)
        for block in self._blocks():
            state.update(block)
        return f"md5:{state.hexdigest()}"

    @contextmanager
    def fetched(self, identity: str) -> Iterator[str]:
        """Path of a temporary copy that was verified while it was fetched; one file at a time takes room on the disk.

        Raises WorkError if the file does not hold what it was identified by.
        """
        state = hashlib.md5(usedforsecurity=False)
        with tempfile.TemporaryDirectory(prefix="olmix-") as folder:
            copy = Path(folder) / f"file{compression_of(self.name.partition('?')[0])}"
            with copy.open("wb") as stream:
                for block in self._blocks():
                    state.update(block)
                    stream.write(block)
            if f"md5:{state.hexdigest()}" != identity:
                raise self._changed()
            yield str(copy)

    def _blocks(self) -> Iterator[bytes]:
        """The bytes, as one version: s3fs asks for the same ETag in every request."""
        size = 0
        with _told(f"{self.where}: {self.url}"):
            try:
                with self.fs.open(self.name, "rb", block_size=_BLOCK, cache_type="readahead") as stream:
                    while block := stream.read(_BLOCK):
                        size += len(block)
                        yield block
            except FileNotFoundError:
                raise self._changed() from None
            except OSError as error:
                if type(error).__name__ == "FileExpired" or _code(error) in ("PreconditionFailed", "412"):
                    raise self._changed() from None
                raise
        if self.seen[0] is not None and size != self.seen[0]:
            raise self._changed()

    def _changed(self) -> WorkError:
        return WorkError(
            f"{self.url}: changed or went away after it was identified; to go on: the same command again, which takes "
            "what it holds then (if it has not changed, remove .cache/olmix/files.json: its server reports no changes)"
        )


def find_remote(pattern: str, where: str) -> list[RemoteFile]:
    """Files behind a URL or a glob of URLs. Raises InputError if the server, bucket or access is missing."""
    _refuse_credentials(pattern, where)
    import fsspec

    with _told(f"{where}: {shown(pattern)}"):
        fs, path = fsspec.url_to_fs(pattern, **_options(pattern))
        fs.invalidate_cache()
        try:
            matches = _matches(fs, path, "*[" if _is_http(pattern) else "*?[")
        except FileNotFoundError as error:
            if _missing(error):
                raise
            return []
    rest = pattern.partition("::")[1:]
    return [_file(fs, info, "".join(rest), where) for info in matches if info["type"] == "file"]


def identify_remote(files: Sequence[RemoteFile], cache: Cache) -> list[str]:
    """Identities, MD5 of the bytes; only files that look other than when they were last read are read."""
    known = [cache.recall(file.key, file.seen) for file in files]
    unknown = [file for file, identity in zip(files, known, strict=True) if identity is None]
    if not unknown:
        return [identity for identity in known if identity is not None]
    size = sum(file.seen[0] or 0 for file in unknown) / 1e6
    sys.stderr.write(f"olmix: reads {len(unknown):,} remote files once to identify them ({size:,.1f} MB)\n")
    saved = time.monotonic()
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for file, identity in zip(unknown, pool.map(RemoteFile.md5, unknown), strict=True):
            cache.learn(file.key, file.seen, identity)
            if time.monotonic() - saved > _SAVE_EVERY:
                cache.save()
                saved = time.monotonic()
    finally:
        pool.shutdown(cancel_futures=True)
        cache.save()
    return [str(cache.recall(file.key, file.seen)) for file in files]


def shown(url: str) -> str:
    """A URL or message for people: on one line, without passwords and without the query of a signed URL."""
    text = re.sub(r"://[^/@\s]*:[^@\s]*@", "://…@", url)
    text = re.sub(r"(https?://[^\s?'\"<>]*)\?[^\s'\"<>]*", r"\1?…", text)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _file(fs: Any, info: dict[str, Any], rest: str, where: str) -> RemoteFile:
    name = info["name"]
    full = fs.unstrip_protocol(name) + rest
    url = shown(full)
    seen = [f"{field}={_text(info[field])}" for field in _VALIDATORS if info.get(field)]
    if not seen:
        raise InputError(
            f"{where}: {url}: its server gives no ETag, version or date, so a change could not be seen; download it"
        )
    key = url if url == full else f"{url} {hashlib.sha256(full.encode()).hexdigest()[:20]}"
    return RemoteFile(fs, name, url, key, [info.get("size"), *seen], where)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value).strip('"')


def _matches(fs: Any, path: str, magic: str) -> list[dict[str, Any]]:
    """What a glob or a plain path stands for. `fs.glob` would take folders that it may not list for empty ones."""
    from fsspec.utils import glob_translate

    if not any(c in path for c in magic):
        return [fs.info(path)]
    first = next(i for i, c in enumerate(path) if c in magic)
    root = path[:first].rpartition("/")[0]
    wanted = re.compile(glob_translate(path), re.DOTALL)
    depth = None if "**" in path else path.count("/") - root.count("/")
    return [info for info in _below(fs, root, depth) if wanted.match(info["name"])]


def _below(fs: Any, root: str, depth: int | None) -> Iterator[dict[str, Any]]:
    for info in fs.ls(root, detail=True):
        if info["type"] != "directory":
            yield info
        elif depth != 1 and info["name"].rstrip("/") != root.rstrip("/"):
            yield from _below(fs, info["name"], depth and depth - 1)


def _options(pattern: str) -> dict[str, Any]:
    """Less patience than s3fs has by default, unless the user's own configuration of fsspec says how much."""
    if pattern.rpartition("::")[2].partition("://")[0] not in ("s3", "s3a") or "::" in pattern:
        return {}
    from fsspec.config import conf

    return {} if "config_kwargs" in conf.get("s3", {}) else {"config_kwargs": _PATIENCE}


def _is_http(pattern: str) -> bool:
    return pattern.startswith(("http://", "https://"))


def _refuse_credentials(pattern: str, where: str) -> None:
    """Domain files and suites are tracked by git: no place for a password."""
    for link in pattern.split("::"):
        scheme, found, rest = link.partition("://")
        server = rest.partition("/")[0]
        user, at, _ = server.rpartition("@")
        password = at and (":" in user or scheme in ("http", "https"))
        if found and (password or (":" in server and not re.fullmatch(r"[^:]*:\d+|arn:.*|\[.*\](:\d+)?", server))):
            raise InputError(
                f"{where}: a {scheme}:// URL holds a user name or password; leave them out and give them by the "
                "environment or the configuration of fsspec, see docs/remote.md"
            )


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Turn whatever a file system or its libraries raise into one line that says what is missing."""
    try:
        yield
    except (InputError, WorkError):
        raise
    except Exception as error:
        raise InputError(f"{where}: {_problem(error)}") from None


def _problem(error: Exception) -> str:
    """What is wrong in a user's terms."""
    said = _said(error)
    return _missing(error) or (said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}")


def _missing(error: Exception) -> str:
    """The package, server, bucket or right that is missing; empty if it is none of these.

    Libraries raise what they like, file systems pass it on as they like: it is told by names, codes and statuses.
    """
    names = {kind.__name__ for one in _causes(error) for kind in type(one).__mro__}
    status = next((s for one in _causes(error) if isinstance(s := getattr(one, "status", None), int)), None)
    said = _said(error)
    if isinstance(error, ImportError):
        if "s3fs" in said:
            return "S3 needs the package s3fs: pip install 'olmix-graph[s3]'"
        return f"a package for this kind of URL is missing: {said}"
    if _code(error) == "NoSuchBucket":
        return "no such bucket on this server"
    if names & {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"}:
        return f"no usable credentials: {said}; see docs/remote.md"
    if "PermissionError" in names or status in (401, 403):
        return f"access denied: {said}; check the credentials and what they allow"
    if names & _AWAY:
        return f"the server cannot be reached: {said}"
    return ""


def _said(error: Exception) -> str:
    """The words of an error, on one line; of a file that is not found, those of why it is not."""
    causes = [one for one in _causes(error) if not isinstance(one, FileNotFoundError)] or [error]
    words = (" ".join(str(one).split()) for one in causes)
    return shown(next(filter(None, words), type(error).__name__))[:300]


def _code(error: BaseException) -> str | None:
    """Error code of an S3 server, which s3fs keeps in the cause."""
    for one in _causes(error):
        if isinstance(response := getattr(one, "response", None), dict):
            return str(response.get("Error", {}).get("Code"))
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
