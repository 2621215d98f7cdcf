"""Time and precision of the exact solver: `python -m benchmarks.solver` from the repository, one core."""

import os

os.environ |= {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}  # before numpy is imported

import time
from dataclasses import replace

import numpy as np

from olmix.errors import InputError
from olmix.solve.exact import solve
from olmix.solve.problem import Problem
from tests.solve.problems import make_problem, random_problem

REPEATS = 5
RANDOM_PROBLEMS = 500


def timed(problem: Problem) -> tuple[float, float, float, float, int]:
    """Seconds by the clock and of the processor, KKT residual, gap and binding caps of one certified solution."""
    started, used = time.perf_counter(), time.process_time()
    certificate = solve(problem).certificate
    seconds, used = time.perf_counter() - started, time.process_time() - used
    assert certificate.stationarity is not None
    assert certificate.gap is not None
    return seconds, used, certificate.stationarity, certificate.gap, len(certificate.binding)


def main() -> None:
    """Print one line per size and KL weight, medians over problems, and the worst residual of many random problems."""
    solve(make_problem(3))  # imports
    print(
        f"{'leaves x tasks':>14} {'kl':>6} {'median s':>9} {'worst s':>8} {'median CPU s':>13} "
        f"{'residual':>9} {'gap':>9} {'at cap':>7}"
    )
    for domains, tasks in ((64, 52), (1000, 100)):
        for kl in (0.0, 0.001, 0.05, 1.0):
            rows = []
            for seed in range(REPEATS):
                problem = make_problem(domains, tasks, kl, seed=seed)
                rows.append(timed(replace(problem, caps=np.maximum(5 * problem.prior, 0.1 / domains))))
            seconds, used, residual, gap, binding = np.array(rows).T
            print(
                f"{f'{domains} x {tasks}':>14} {kl:6g} {np.median(seconds):9.3f} {seconds.max():8.3f} "
                f"{np.median(used):13.3f} "
                f"{residual.max():9.1e} {gap.max():9.1e} {np.median(binding):7.0f}"
            )
    residuals, infeasible = [], 0
    for seed in range(RANDOM_PROBLEMS):
        problem, corner = random_problem(seed)
        try:
            residuals.append(timed(problem)[2])
        except InputError:
            assert corner == "infeasible"
            infeasible += 1
    print(
        f"{RANDOM_PROBLEMS} random problems with corner cases: worst KKT residual {max(residuals):.1e}, "
        f"{infeasible} of {RANDOM_PROBLEMS // 10} infeasible ones told, {len(residuals)} solved and proved"
    )


if __name__ == "__main__":
    main()
