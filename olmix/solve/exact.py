"""Exact solution of the mixture problem: Clarabel through cvxpy, polished, and proved before it is returned."""

import contextlib
import warnings
from dataclasses import dataclass, replace

import numpy as np

from olmix.errors import WorkError
from olmix.solve.active_set import polish
from olmix.solve.certificate import Certificate, certify, project
from olmix.solve.problem import DUST, FEASIBILITY_TOLERANCE, Array, Mask, Problem

__all__ = ["Problem", "Solution", "solve"]


@dataclass(frozen=True)
class Solution:
    """The optimal mixture, weights (m,) in the problem's order, and its proof."""

    weights: Array
    certificate: Certificate


def solve(problem: Problem, cap_hint: str = "") -> Solution:
    """Mixture that minimises the mean law plus the KL penalty under the caps (method section 6).

    The solver's status is never trusted: its answer is made feasible, polished by Newton steps and certified.
    Weights below DUST become exactly 0 and the rest is solved again. Deterministic.

    cap_hint: how the caps came about, for the message if they are too small, e.g. "target.repetition 4 x 2e9 tokens /
    target.tokens 1e10". Raises InputError for infeasible caps and WorkError if the certificate fails.
    """
    problem.check_feasible(cap_hint)
    kept = ~problem.closed
    weights = _solve_open(problem, kept, None)
    while (dust := kept & (weights < DUST)).any() and np.minimum(problem.caps, 1)[kept & ~dust].sum() >= 1:
        kept = kept & ~dust
        weights = _solve_open(problem, kept, weights)
    certificate = certify(problem, weights)
    if not certificate.ok:
        raise WorkError(f"no mixture could be proved optimal: {'; '.join(certificate.failures)}")
    return Solution(weights, certificate)


def _solve_open(problem: Problem, kept: Mask, near: Array | None) -> Array:
    """Solve for the kept leaves, the others at 0; `near` is a close mixture, without it the solver is asked."""
    caps = np.minimum(problem.caps[kept], 1.0)
    weights = np.zeros(len(kept))
    if caps.sum() <= 1 + FEASIBILITY_TOLERANCE:  # a single feasible mixture
        weights[kept] = caps
    elif kept.sum() == 1:
        weights[kept] = 1.0
    else:
        prior = problem.prior[kept] / problem.prior[kept].sum() if problem.kl > 0 else np.full(len(caps), 1 / len(caps))
        part = replace(
            problem, t=problem.t[:, kept], prior=prior, caps=caps, names=tuple(np.array(problem.names)[kept])
        )
        start = _ask_clarabel(part) if near is None else near[kept]
        weights[kept] = polish(part, project(np.log(np.maximum(start, DUST)), caps))
    return weights


def _ask_clarabel(problem: Problem) -> Array:
    """Clarabel's mixture (m,), or the prior under the caps if it has none; neither is trusted."""
    import cvxpy as cp

    p = cp.Variable(len(problem.names))
    # c does not move the minimum; the laws enter as weighted exponentials (method section 6).
    objective = problem.task_weights @ cp.exp(problem.t @ p)
    if problem.kl > 0:
        objective += problem.kl * cp.sum(cp.rel_entr(p, problem.prior))
    limits = [p >= 0, cp.sum(p) == 1, p <= problem.caps]
    with contextlib.suppress(cp.SolverError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "may be inaccurate": the certificate says whether it is
        cp.Problem(cp.Minimize(objective), limits).solve(solver=cp.CLARABEL)
    return problem.prior if p.value is None or not np.isfinite(p.value).all() else p.value
