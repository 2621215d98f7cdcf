"""Swarms grown in rounds against swarms drawn at once: `python -m benchmarks.rounds` from the repository.

The truth is a kernel law fitted to all 768 public RegMix runs, or random log-linear laws; scores carry seed noise.
Shown is the regret of the proposal, how far its true objective is above that of the true optimum, in thousandths of
BPB: median over swarms, by number of runs.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from olmix.params import LevelParams, SwarmParams
from olmix.plan.swarm import Coordinates, sample_swarm
from olmix.regression.base import Family
from olmix.regression.crossval import cross_validated
from olmix.regression.families import make_family
from olmix.regression.kernel import Kernel
from olmix.regression.log_linear import LogLinear
from olmix.solve.design import CANDIDATES_PER_RUN, DRAWS, choose_runs
from olmix.solve.problem import Problem
from olmix.solve.solver import solve
from olmix.solve.uncertainty import assess, resample
from tests.regression.swarms import DATA, read_regmix

NOISE = 0.01
ROUNDS = 3


def main() -> None:
    """Print a table per truth and family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swarms", type=int, default=5, help="swarms per cell")
    swarms = parser.parse_args().swarms
    truths: dict[str, Callable[[], Family]] = {"random log-linear laws, 10 domains": random_laws}
    if DATA.exists():
        truths["RegMix, 17 domains"] = regmix_laws
    for name, make in truths.items():
        truth = make()
        m = truth.n_features_in_
        print(f"\n{name}: regret of the proposal x 1000")
        print(f"{'family':12} {'runs':>5} {'at once':>9} {f'{ROUNDS} rounds':>9}")
        for family in ("log_linear", "kernel"):
            for share in (1.5, 2.0, 3.0):
                runs = round(share * (m + 1))
                cells = [
                    np.median([1000 * regret(truth, family, runs, rounds, seed) for seed in range(swarms)])
                    for rounds in (1, ROUNDS)
                ]
                print(f"{family:12} {runs:5} {cells[0]:9.2f} {cells[1]:9.2f}", flush=True)


def random_laws() -> Family:
    """Ten domains, twelve tasks."""
    rng = np.random.default_rng(0)
    return LogLinear.of(rng.uniform(0.5, 1.5, 12), rng.normal(-0.5, 0.8, (12, 10)))


def regmix_laws() -> Family:
    """What the public runs say, without their noise."""
    P, Y, fresh, truth = read_regmix()
    return Kernel().fit(np.vstack([P, fresh]), np.vstack([Y, truth]))


def regret(truth: Family, family: str, runs: int, rounds: int, seed: int) -> float:
    """Regret of what a swarm leads to."""
    m = truth.n_features_in_
    rng = np.random.default_rng(seed)
    prior = np.random.default_rng(100).dirichlet(np.full(m, 2.0))
    level = LevelParams(min_strength=0.5, max_strength=20.0, minimum_weight=0.01)
    params = SwarmParams(seed=seed, sources=level)
    coordinates = Coordinates(
        ids=tuple(f"{j:02}" for j in range(m)),
        names=tuple(f"domain {j}" for j in range(m)),
        sources=tuple(f"source {j}" for j in range(m)),
        prior=prior,
        max_weight=np.ones(m),
        required=np.zeros(m, dtype=bool),
    )
    n = truth.predict(prior[None]).shape[1]
    problem = Problem(truth, np.ones(n), prior, np.minimum(8 * prior, 1), 0.05, coordinates.names)
    first = max(m + 2, round(runs / rounds))
    P = sample_swarm(coordinates, params, first)
    Y = truth.predict(P) + NOISE * rng.normal(size=(len(P), n))
    for number in range(2, rounds + 2):
        law = make_family(family, "auto", 0.02).fit(P, Y)
        fitted = replace(problem, laws=law)
        weights = solve(fitted).weights
        count = round(runs * number / rounds) - len(P) if number <= rounds else 0
        if count > 0:
            drawn = assess(fitted, weights, prior, resample(law, P, Y, cross_validated(P, Y, law), DRAWS, seed))
            half = CANDIDATES_PER_RUN * count // 2
            pool = sample_swarm(coordinates, params, half, P)
            around = replace(coordinates, prior=0.5 * (weights + prior))
            pool = np.vstack([pool, sample_swarm(around, params, half, np.vstack([P, pool]))])
            kernel = law if isinstance(law, Kernel) else Kernel().fit(P, Y)
            more = pool[choose_runs(kernel, pool, drawn.weights, weights, count)]
            P = np.vstack([P, more])
            Y = np.vstack([Y, truth.predict(more) + NOISE * rng.normal(size=(len(more), n))])
    return problem.objective(weights) - problem.objective(solve(problem).weights)


if __name__ == "__main__":
    main()
