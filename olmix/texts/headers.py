"""Domain cpp: the C++ and CUDA headers that come with torch."""

from pathlib import PurePosixPath

from olmix.texts.documents import Document, make_document
from olmix.texts.python_sources import installed_files

MAX_BYTES = 200_000
_ROOT = "torch/include"


def header_documents() -> dict[str, list[Document]]:
    """Headers under torch/include, without generated ones (ATen/ops, protobuf) and those of 200 kB or more."""
    documents = []
    for path, data in installed_files("torch", _ROOT, (".h", ".hpp", ".cuh")):
        if "ATen/ops/" in str(path) or path.name.endswith(".pb.h") or len(data) >= MAX_BYTES:
            continue
        try:
            text = data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
        documents.append(make_document(partition(path), text))
    return {"cpp": documents}


def partition(path: PurePosixPath) -> str:
    """Partition key of a header: its first two folders below torch/include, or `include` for a file at the top."""
    folders = path.relative_to(_ROOT).parent.parts[:2]
    return "-".join(folders) or "include"
