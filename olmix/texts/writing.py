"""From extracted documents to files: deduplicate, hold out, clean, cut items, check leaks, write, manifest last."""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from olmix.process import die_with_parent
from olmix.texts.clean import clean
from olmix.texts.documents import Document, deduplicate, sample, split
from olmix.texts.items import Item, select
from olmix.texts.leaks import occurring
from olmix.texts.manifest import MANIFEST, remove_stale, write_lines, write_manifest
from olmix.texts.tasks import HUMANEVAL, TASKS, candidates


@dataclass(frozen=True, slots=True)
class WrittenDomain:
    """What one domain's worker hands back: its entry of the manifest, its files and its possible items."""

    summary: dict
    files: dict[str, dict]
    items: dict[str, list[Item]]


def write_texts(
    root: Path,
    domains: Mapping[str, list[Document]],
    humaneval: list[Item],
    *,
    scale: float,
    header: dict,
    report: Callable[[str], None],
) -> dict:
    """Write training text, held-out documents and items of the domains below `root`; returns the manifest.

    A text that occurs in two domains stays in the first. `header` is what the manifest says besides. The manifest of
    an earlier build goes first and the new one comes last; files that are not of this build are removed.
    """
    (root / MANIFEST).unlink(missing_ok=True)
    kept = {domain: sample(documents, scale) for domain, documents in deduplicate(domains).items()}
    with ProcessPoolExecutor(os.cpu_count(), initializer=die_with_parent) as pool:
        report("cleaning, holding out and writing the domains")
        jobs = {domain: pool.submit(_write_domain, root, domain, documents) for domain, documents in kept.items()}
        written = {domain: job.result() for domain, job in jobs.items()}
        report("choosing the evaluation items")
        chosen = _choose_items(root, pool, written)
    chosen[HUMANEVAL] = select(humaneval, per_document=1)
    files = {name: entry for domain in written.values() for name, entry in domain.files.items()}
    for task, items in chosen.items():
        name = f"data/suite/{task}.jsonl"
        records = [{"id": item.id, "context": item.context, "continuation": item.continuation} for item in items]
        files[name] = write_lines(root / name, records)
    remove_stale(root, set(files))
    manifest = {
        **header,
        "domains": {domain: result.summary for domain, result in written.items()},
        "tasks": {task: len(items) for task, items in chosen.items()},
        "files": files,
    }
    write_manifest(root, manifest)
    return manifest


def _write_domain(root: Path, domain: str, documents: list[Document]) -> WrittenDomain:
    """Split, clean and write one domain; cut its possible items."""
    train, heldout = clean(*split(documents))
    by_sub: dict[str, list[Document]] = defaultdict(list)
    for document in train:
        by_sub[document.sub].append(document)
    files = {}
    for sub, members in by_sub.items():
        name = f"data/texts/{domain}/{sub}.jsonl"
        records = [{"id": document.id, "text": document.text} for document in members]
        files[name] = write_lines(root / name, sorted(records, key=lambda record: record["id"]))
    name = f"data/heldout/{domain}.jsonl"
    records = [{"id": document.id, "sub": document.sub, "text": document.text} for document in heldout]
    files[name] = write_lines(root / name, sorted(records, key=lambda record: record["id"]))
    summary = {"train": _size(train), "heldout": _size(heldout), "subs": len(by_sub)}
    return WrittenDomain(summary, files, candidates(domain, train, heldout))


def _size(documents: list[Document]) -> dict[str, int]:
    return {"documents": len(documents), "bytes": sum(len(document.text.encode()) for document in documents)}


def _choose_items(root: Path, pool: Executor, written: dict[str, WrittenDomain]) -> dict[str, list[Item]]:
    """The items of each task, without those that occur in the training text of any domain."""
    possible = {task: written[task.domain].items[task.name] for task in TASKS if task.domain in written}
    windows = {
        item.window
        for task, items in possible.items()
        for item in items
        if item.window is not None and not task.from_training
    }
    searches = [pool.submit(_windows_in_training, root, domain, windows) for domain in written]
    leaked = set().union(*(search.result() for search in searches))
    return {
        task.name: select(
            (item for item in items if task.from_training or item.window not in leaked), task.per_document
        )
        for task, items in possible.items()
    }


def _windows_in_training(root: Path, domain: str, windows: set[bytes]) -> set[bytes]:
    """Those of the 48-byte windows that occur in the domain's training text as just written."""
    texts = []
    for path in sorted((root / "data/texts" / domain).glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            texts += [json.loads(line)["text"] for line in lines]
    return occurring(windows, "\n".join(texts).encode())
