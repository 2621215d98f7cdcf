"""A swarm whose laws are known, as the files that a user of the authors' released code has."""

import copy
import csv
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml

from olmix.regression.families import FAMILIES

needs_search = pytest.mark.skipif("search" not in FAMILIES, reason="there are no laws that look runs up")

DOMAINS = ["books", "code", "web"]
TASKS = ["coding", "facts", "reading"]
C = np.array([0.5, 0.8, 0.6])
T = np.array([[0.2, -1.5, 0.1], [-0.4, 0.3, -0.2], [-1.0, 0.4, 0.2]])
RUNS = 30

CONFIG = {
    "swarm": {"ratios": "ratios.csv", "metrics": "metrics.csv"},
    "priors": {
        "relative_sizes": {"web": 0.6, "code": 0.15, "books": 0.25},
        "token_counts": {"web": 600_000, "code": 150_000, "books": 250_000},
    },
    "proposer": {"type": "exact", "kl_reg": 0.1},
}


def mixtures(runs=RUNS, domains=3, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(domains, 0.8), runs)


def scores(P):
    return C + np.exp(P @ T.T)


def write_csv(path, header, rows):
    with Path(path).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


class Files(NamedTuple):
    """What lies in the folder; change it, then `write`."""

    folder: Path
    config: dict
    ratios: list
    """Rows of cells, the header first."""
    metrics: list

    def write(self):
        write_csv(self.folder / "ratios.csv", self.ratios[0], self.ratios[1:])
        write_csv(self.folder / "metrics.csv", self.metrics[0], self.metrics[1:])
        (self.folder / "fit.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False))
        return self.folder / "fit.yaml"

    def change(self, **sections):
        """Set fields of sections; a section that is no mapping replaces what is there."""
        for name, fields in sections.items():
            if isinstance(fields, dict):
                self.config[name] = self.config.get(name, {}) | fields
            else:
                self.config[name] = fields
        return self


def build(folder):
    P = mixtures()
    runs = [f"run_{k}" for k in range(RUNS)]
    return Files(
        folder,
        copy.deepcopy(CONFIG),
        [["run", "name", "index", *DOMAINS]] + [[r, f"mix {r}", k, *P[k]] for k, r in enumerate(runs)],
        [["run", "name", "index", *TASKS]] + [[r, f"mix {r}", k, *scores(P)[k]] for k, r in enumerate(runs)],
    )


class Outcome(NamedTuple):
    law: dict
    fit: dict
    mixture: dict | None
    said: list


def fit(files, output="out"):
    """The outputs of `olmix fit`, and what it said."""
    from olmix.interop.fit import fit_swarm

    said = []
    folder = files.folder / output
    fit_swarm(files.write(), folder, said.append)
    return read_outcome(folder, said)


def read_outcome(folder, said=()):
    mixture = folder / "mixture.json"
    return Outcome(
        json.loads((folder / "law/law.json").read_text()),
        json.loads((folder / "fit.json").read_text()),
        json.loads(mixture.read_text()) if mixture.exists() else None,
        list(said),
    )


def run_command(monkeypatch, capsys, *arguments):
    """Exit code, stdout and stderr of `olmix ...`, in this process."""
    from olmix.cli import main

    monkeypatch.setattr(sys, "argv", ["olmix", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err
