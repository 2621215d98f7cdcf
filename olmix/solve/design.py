"""The next runs of a growing swarm: the mixtures whose scores would tell most about which proposal is right."""

import numpy as np
from numpy.typing import NDArray

from olmix.plan.plan import Plan
from olmix.plan.request import Request
from olmix.plan.rounds import candidates, grow_plan
from olmix.regression.base import Family
from olmix.regression.blend import Blend
from olmix.regression.fit import Evidence, read_laws
from olmix.regression.kernel import Kernel
from olmix.solve.document import read_coordinates
from olmix.solve.propose import assess_proposal
from olmix.store import Store

Floats = NDArray[np.float64]

DRAWS = 64
"""Resampled proposals that the next runs are to tell apart."""

CANDIDATES_PER_RUN = 30
"""Mixtures to choose each run from, half around the prior and half around the proposal."""


def next_plan(plan: Plan, request: Request, store: Store) -> Plan:
    """The plan of the next round, from the laws and the proposal of a plan's runs; deterministic.

    With no more runs if the expected regret of the proposal (how much lower the objective of the best mixture is, on
    average over resampled laws) is at most `swarm.enough` of the gain over the prior that it expects.
    """
    params = request.params
    if plan.stopped:
        return grow_plan(plan, request, _nothing(plan), plan.stopped)
    uncertainty = assess_proposal(plan, params.solver, params.target, store, DRAWS)
    regret, gain = float(uncertainty.regret.mean()), float(uncertainty.gain.mean())
    if regret <= params.swarm.enough * gain:
        reason = (
            f"after {len(plan.swarm)} runs the expected regret of the proposal is {regret:.2g} bits per byte, at most "
            f"{params.swarm.enough:.0%} of the expected gain of {gain:.2g}"
        )
        return grow_plan(plan, request, _nothing(plan), reason)
    count = request.runs_by(plan.round + 1) - len(plan.swarm)
    weights = read_coordinates(plan, store)
    pool = candidates(plan, request, weights, max(count, CANDIDATES_PER_RUN * count // 2))
    laws = read_laws(plan, store)
    evidence = Evidence.of(plan, laws.targets, store)
    kernel = _kernel_of(laws.family, evidence)
    order = list(evidence.order)
    chosen = choose_runs(kernel, pool[:, order], uncertainty.weights, weights[order], count)
    return grow_plan(plan, request, pool[chosen])


def choose_runs(kernel: Kernel, pool: Floats, plausible: Floats, proposal: Floats, count: int) -> NDArray[np.intp]:
    """Rows (count,) of a pool (N, d) of mixtures, chosen greedily.

    Each next one lowers most the sum of posterior variances of the differences between plausible proposals (B, d) and
    the proposal at hand (d,), given the runs of the kernel law and those chosen before. The posterior variance of a
    Gaussian process does not depend on what will be observed, so that a whole round can be chosen at once.
    """
    noise = float(np.median(kernel.noise_))
    sites = np.vstack([plausible, proposal])
    everything = np.vstack([sites, pool])
    covariance = kernel.posterior(everything, noise)
    first = len(sites)
    chosen: list[int] = []
    for _ in range(count):
        towards = covariance[: first - 1, first:] - covariance[first - 1, first:]
        gained = (towards**2).sum(axis=0) / (np.diag(covariance)[first:] + noise)
        gained[chosen] = -1.0
        best = int(gained.argmax())
        chosen.append(best)
        column = covariance[:, first + best]
        covariance = covariance - np.outer(column, column) / (column[first + best] + noise)
    return np.array(chosen, dtype=np.intp)


def _nothing(plan: Plan) -> Floats:
    return np.empty((0, len(plan.coordinates)))


def _kernel_of(law: Family, evidence: Evidence) -> Kernel:
    """The kernel law of the evidence: the fitted one, if there is one."""
    if isinstance(law, Kernel):
        return law
    if isinstance(law, Blend):
        return law.members_[1]
    return Kernel().fit(evidence.P, evidence.Y)
