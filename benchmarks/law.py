"""Time and held-out error of the log-linear law on published swarms: `python -m benchmarks.law` from the repository."""

import time

import numpy as np

from olmix.regression.log_linear import LogLinear
from tests.regression.swarms import DATA, fitted_rows, read_dclm, read_regmix


def report(name: str, P: np.ndarray, Y: np.ndarray, fresh: np.ndarray, truth: np.ndarray) -> None:
    """Fit on (P, Y) and compare with (fresh, truth), for no penalty and for the default."""
    for penalty in (0, "auto"):
        started = time.perf_counter()
        law = LogLinear(penalty).fit_fold(P, Y)
        seconds = time.perf_counter() - started
        predicted = law.predict(fresh)
        pearson = [np.corrcoef(a, b)[0, 1] for a, b in zip(predicted.T, truth.T, strict=True)]
        error = np.abs(predicted - truth).mean()
        print(f"{name:28} {penalty!s:>7} {seconds:8.2f} {error:9.4f} {np.median(pearson):8.3f}")


def main() -> None:
    """Print one line per swarm and penalty."""
    if not DATA.exists():
        raise SystemExit(f"{DATA}: the published swarms are needed")
    print(f"{'runs x domains x tasks':28} {'penalty':>7} {'seconds':>8} {'held out':>9} {'pearson':>8}")
    dclm = read_dclm()
    rows, others = fitted_rows(len(dclm.P))
    report("DCLM 64 x 24 x 57", dclm.P[rows], dclm.Y[rows], dclm.P[others], dclm.Y[others])
    report("RegMix 512 x 17 x 13", *read_regmix())
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.full(10, 0.5), 66)
    Y = 1 + np.exp(P @ rng.normal(-1, 0.5, (10, 14))) + 0.01 * rng.normal(size=(66, 14))
    report("synthetic 33 x 10 x 14", P[:33], Y[:33], P[33:], Y[33:])


if __name__ == "__main__":
    main()
