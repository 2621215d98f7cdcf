"""Laws on published swarms beside the released code: `python -m benchmarks.law` from the repository, on one core."""

import argparse
import time
from collections.abc import Callable, Iterable

import numpy as np
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from olmix.regression.base import Family
from olmix.regression.families import make_family
from olmix.regression.log_linear import LogLinear
from tests.regression.swarms import DATA, fitted_rows, read_dclm, read_regmix
from tests.regression.test_published_swarms import PILE_CC

RELEASED_SECONDS = 68.0  # for one task, on two cores of the same machine
RELEASED_LOSS = {  # summed Huber loss on the 64 rows
    "arc_challenge:rc::olmes": 0.012564,
    "codex_humaneval:3shot::none": 0.059277,
    "hellaswag:rc::olmes": 0.006072,
    "medqa_en:rc::none": 0.030634,
    "mt_mbpp_v2fix:cpp": 0.079276,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default="natural,ridge,log_linear,kernel,blend,auto", help="comma-separated")
    parser.add_argument("--splits", type=int, default=20, help="random splits of the DCLM swarm")
    arguments = parser.parse_args()
    if not DATA.exists():
        raise SystemExit(f"{DATA}: the published swarms are needed")
    families = arguments.families.split(",")
    with threadpool_limits(limits=1):
        released_code()
        dclm(families, arguments.splits)
        regmix([name for name in families if name != "auto"])


def estimator(name: str) -> Callable[[], Family]:
    """A new estimator of a family with its default settings; `plain` is the log-linear law without a penalty."""
    if name == "plain":
        return lambda: LogLinear(0)
    return lambda: make_family(name, "auto", 0.02)


def released_code() -> None:
    """Time and loss of the plain log-linear law."""
    swarm = read_dclm()
    rows, _ = fitted_rows(len(swarm.P))
    P, Y = swarm.P[rows], swarm.Y[rows]
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        law = LogLinear(0).fit_fold(P, Y)
        seconds.append(time.perf_counter() - started)
    released, ours = 57 * RELEASED_SECONDS, float(np.median(seconds))
    print("DCLM, 64 runs x 24 domains x 57 tasks, log-linear laws without a penalty")
    print(f"  {'all tasks, seconds':32} released {released:9.0f}   here {ours:9.2f}   ratio {released / ours:,.0f}")
    for task, loss in RELEASED_LOSS.items():
        print(f"  {task:32} released {loss:9.6f}   here {law.loss_[swarm.tasks.index(task)]:9.6f}")


def dclm(families: Iterable[str], splits: int) -> None:
    """Held-out error on the 63 other runs, and over random splits."""
    from sklearn.model_selection import train_test_split

    swarm = read_dclm()
    print(f"\nDCLM, 64 runs for 63 held out: of the published split, and over {splits} random ones (medians, worst)")
    print(f"  {'family':12} {'seconds':>8} {'MAE':>7} {'pearson':>8}   {'MAE':>7} {'pearson':>8} {'worst RMSE/sd':>14}")
    for name in ("plain", *families):
        rows, others = fitted_rows(len(swarm.P))
        started = time.perf_counter()
        law = estimator(name)().fit_fold(swarm.P[rows], swarm.Y[rows])
        seconds = time.perf_counter() - started
        first = quality(law, swarm.P[others], swarm.Y[others])
        found = []
        for seed in range(splits):
            rows, others = train_test_split(np.arange(len(swarm.P)), train_size=64, random_state=seed)
            law = estimator(name)().fit_fold(swarm.P[rows], swarm.Y[rows])
            found.append(quality(law, swarm.P[others], swarm.Y[others]))
        mae, pearson, _ = np.median(found, axis=0)
        worst = max(row[2] for row in found)
        print(
            f"  {name:12} {seconds:8.2f} {first[0]:7.4f} {first[1]:8.3f}   {mae:7.4f} {pearson:8.3f} {worst:14.3g}",
            flush=True,
        )


def regmix(families: Iterable[str]) -> None:
    """Learning curve: subsets of the 512 runs for the 256 held out."""
    P, Y, fresh, truth = read_regmix()
    print("\nRegMix, runs x 17 domains x 13 tasks for 256 held out: medians of 3 subsets")
    print(f"  {'family':12} {'runs':>5} {'MAE':>7} {'Pile-CC rho':>12} {'mean rho':>9}")
    for name in ("plain", *families):
        for runs in (64, 128, 256, 512):
            found = []
            for seed in range(1 if runs == len(P) else 3):
                rows = np.random.default_rng(seed).permutation(len(P))[:runs]
                predicted = estimator(name)().fit_fold(P[rows], Y[rows]).predict(fresh)
                one = spearmanr(predicted[:, PILE_CC], truth[:, PILE_CC])[0]
                mean = spearmanr(predicted.mean(axis=1), truth.mean(axis=1))[0]
                found.append((np.abs(predicted - truth).mean(), one, mean))
            mae, one, mean = np.median(found, axis=0)
            print(f"  {name:12} {runs:5} {mae:7.4f} {one:12.3f} {mean:9.3f}", flush=True)


def quality(law: Family, P: np.ndarray, Y: np.ndarray) -> tuple[float, float, float]:
    """Mean absolute error, median Pearson correlation over tasks, and largest RMSE relative to a task's own sd."""
    predicted = law.predict(P)
    with np.errstate(invalid="ignore", divide="ignore"):
        pearson = [np.corrcoef(a, b)[0, 1] if np.ptp(a) else 0.0 for a, b in zip(predicted.T, Y.T, strict=True)]
        ratio = np.sqrt(((predicted - Y) ** 2).mean(axis=0)) / Y.std(axis=0)
    return float(np.abs(predicted - Y).mean()), float(np.median(pearson)), float(ratio.max())


if __name__ == "__main__":
    main()
