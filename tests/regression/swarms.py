"""Published swarms, read from the data folder beside the repository (absent elsewhere: tests skip)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"

needs_data = pytest.mark.skipif(not DATA.exists(), reason="the published swarms are not in ../shared/data")


class Swarm(NamedTuple):
    """Mixtures (K, m) and scores (K, n) with their names, and the domains' own table."""

    P: np.ndarray
    Y: np.ndarray
    tasks: list[str]
    domains: pd.DataFrame


def read_dclm() -> Swarm:
    """127 runs, 24 topics, 57 tasks: MMLU subjects are averaged into their four groups (method section 9.5)."""
    folder = DATA / "olmix-dclm"
    domains = pd.read_csv(folder / "domains.csv")
    ratios = pd.read_csv(folder / "ratios.csv").set_index("run")
    scores = pd.read_csv(folder / "metrics.csv").set_index("run").loc[ratios.index].iloc[:, 3:]
    groups = pd.read_csv(folder / "mmlu_groups.csv")
    by_subject = {column.split(":")[0]: column for column in scores.columns}
    subjects = [by_subject[subject] for subject in groups.subject]
    tasks = scores.drop(columns=subjects)
    for name, group in groups.groupby("group"):
        tasks[name] = scores[[by_subject[subject] for subject in group.subject]].to_numpy() @ group.weight.to_numpy()
    return Swarm(ratios[domains.domain].to_numpy(), tasks.to_numpy(), list(tasks.columns), domains)


def fitted_rows(runs: int) -> tuple[np.ndarray, np.ndarray]:
    """The 64 rows that the paper's stage 0 is fitted on, and the others."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(np.arange(runs), train_size=64, random_state=0)
    return train, test


def read_regmix() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """P and Y of the 512 training runs, then of the 256 test runs; 17 domains, 13 losses."""
    arrays = []
    for part in ("train", "test"):
        mixtures = pd.read_csv(DATA / "regmix" / f"{part}_mixture_1m.csv").set_index("index")
        losses = pd.read_csv(DATA / "regmix" / f"{part}_pile_loss_1m.csv").set_index("index").loc[mixtures.index]
        shares = mixtures.to_numpy()  # published with three decimals, so rows sum to 0.996-1.003
        arrays += [shares / shares.sum(axis=1, keepdims=True), losses.to_numpy()]
    return tuple(arrays)
