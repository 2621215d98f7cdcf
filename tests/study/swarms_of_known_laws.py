"""Swarms whose scores follow a known law, as tables in memory and as files."""

import csv
from pathlib import Path

import numpy as np

from olmix.plan.plan import PlannedTask
from olmix.study.table import StudyTable

DOMAINS = ("books", "code", "maths", "web")
TASKS = ("coding", "facts", "proofs", "reading")
FAMILY = {"coding": "stem", "proofs": "stem", "facts": "text", "reading": "text"}
FAMILIES = ("log_linear", "kernel", "blend")
T = np.array([[0.2, -2.0, -0.4, 0.3], [-1.0, 0.5, 0.1, -0.6], [0.3, -0.5, -1.8, 0.2], [-1.5, 0.6, 0.4, -0.3]])


def mixtures(runs, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(len(DOMAINS), 0.7), runs)


def log_linear(P, noise=0.004, seed=1):
    """Scores that a law c + exp(t'p) explains."""
    return 0.5 + np.exp(P @ T.T) + noise * np.random.default_rng(seed).normal(size=(len(P), len(TASKS)))


def bent(P, noise=0.004, seed=1):
    """Scores that fall with the square root of a weight, as returns diminish: no exp(t'p) bends so sharply at 0."""
    return 2.5 + np.sqrt(P) @ T.T / 2 + noise * np.random.default_rng(seed).normal(size=(len(P), len(TASKS)))


def table(P, Y, limits=None, prior=None):
    prior = P.mean(axis=0) if prior is None else prior
    tasks = tuple(PlannedTask(name=name, family=FAMILY[name], weight=0.25) for name in TASKS)
    return StudyTable(DOMAINS, tasks, P, Y, prior, prior, "the mean mixture of the runs", limits)


def write_tables(folder: Path, P, Y, rows=None, columns=None):
    """ratios.csv and metrics.csv, rows and columns in an order of one's choice; returns the command's options."""
    rows = range(len(P)) if rows is None else rows
    folder.mkdir(parents=True, exist_ok=True)
    for name, names, values in (("ratios", DOMAINS, P), ("metrics", TASKS, Y)):
        order = range(len(names)) if columns is None else columns
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["run", *(names[j] for j in order)])
            writer.writerows([f"r{k}", *(values[k, j] for j in order)] for k in rows)
    return ["study", "--ratios", folder / "ratios.csv", "--metrics", folder / "metrics.csv", "--threads", 1]
