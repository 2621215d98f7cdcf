from pathlib import PurePosixPath

import pytest

from olmix.texts.headers import header_documents, partition


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("torch/include/ATen/native/cpu/Loops.h", "ATen-native"),
        ("torch/include/fmt/core.h", "fmt"),
        ("torch/include/clog.h", "include"),
    ],
)
def test_headers_are_parted_by_two_folders(path: str, expected: str) -> None:
    assert partition(PurePosixPath(path)) == expected


def test_the_headers_of_torch_are_c_plus_plus() -> None:
    documents = header_documents()["cpp"]
    assert len(documents) > 1_500
    assert max(len(document.text.encode()) for document in documents) < 200_000
    assert sum("#" in document.text for document in documents) > 0.95 * len(documents)
