"""Documents, and the two decisions that their content alone makes: which copy is kept, and on which side it falls."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The order in which a text found in two domains is given to one of them, and the order of everything reported.
DOMAINS = (
    "python",
    "tests",
    "cpp",
    "apidoc",
    "math",
    "speeches",
    "factbook",
    "dictionary",
    "scripture",
    "medical",
)
HELDOUT_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Document:
    """One document before cleaning.

    `sub` is the partition key, `key` the sha1 of the text with all runs of white space made equal. `source` is the
    text that evaluation items are cut from where it is not the text itself (docstrings with their examples).
    """

    sub: str
    text: str
    key: str
    source: str = ""

    @property
    def id(self) -> str:
        """Hex sha1 of the text as it is."""
        return hashlib.sha1(self.text.encode()).hexdigest()


def make_document(sub: str, text: str, source: str = "") -> Document:
    """A document with its partition key made safe for a file name and its content key computed."""
    return Document(re.sub(r"[^a-z0-9_-]+", "-", sub.lower()).strip("-"), text, content_key(text), source)


def content_key(text: str) -> str:
    """Hex sha1 of the text, white-space-normalised: two texts that differ in spacing only have one key."""
    return hashlib.sha1(" ".join(text.split()).encode()).hexdigest()


def share_of(key: str, purpose: str) -> float:
    """A number in [0, 1) that depends on the content key and the purpose only; uniform over keys."""
    return int.from_bytes(hashlib.sha256(f"{purpose}:{key}".encode()).digest()[:8], "big") / 2**64


def is_heldout(document: Document) -> bool:
    """Whether the document is held out: by its content, so a renamed or moved document stays on its side."""
    return share_of(document.key, "heldout") < HELDOUT_SHARE


def deduplicate(domains: Mapping[str, Iterable[Document]]) -> dict[str, list[Document]]:
    """Keep the first of all documents with one content key, within and across domains, in the order given."""
    seen: set[str] = set()
    kept: dict[str, list[Document]] = {}
    for domain, documents in domains.items():
        kept[domain] = []
        for document in documents:
            if document.key not in seen:
                seen.add(document.key)
                kept[domain].append(document)
    return kept


def split(documents: Iterable[Document]) -> tuple[list[Document], list[Document]]:
    """Training and held-out documents, each in the order given."""
    train: list[Document] = []
    heldout: list[Document] = []
    for document in documents:
        (heldout if is_heldout(document) else train).append(document)
    return train, heldout


def sample(documents: Iterable[Document], scale: float) -> list[Document]:
    """The fraction `scale` of the documents, chosen by content; a smaller scale is a subset of a larger one."""
    return [document for document in documents if share_of(document.key, "scale") < scale]
