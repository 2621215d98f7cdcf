"""Problems for tests of the solver and of its certificate."""

from dataclasses import replace

import numpy as np

from olmix.regression.log_linear import LogLinear
from olmix.solve.problem import Problem


def make_problem(domains=6, tasks=5, kl=0.05, caps=None, prior=None, seed=0, scale=1.0):
    """Random laws; caps default to none, the prior to a random one."""
    rng = np.random.default_rng(seed)
    return Problem(
        laws=LogLinear.of(rng.uniform(0.5, 1.5, tasks), rng.normal(-0.3, scale, (tasks, domains))),
        task_weights=rng.uniform(0.5, 2, tasks),
        prior=rng.dirichlet(np.ones(domains)) if prior is None else np.asarray(prior, float),
        caps=np.full(domains, np.inf) if caps is None else np.asarray(caps, float),
        kl=kl,
        names=tuple(f"leaf{j}" for j in range(domains)),
    )


def with_t(problem, t, **changes):
    """The problem with other coefficients t (n, m) of its log-linear laws; constants are kept, 1 for other tasks."""
    c = problem.laws.c_ if len(t) == len(problem.laws.c_) else np.ones(len(t))
    return replace(problem, laws=LogLinear.of(c, t), **changes)


def take(problem, leaves):
    """The problem over some of its leaves, or all of them in another order."""
    return replace(
        problem,
        laws=LogLinear.of(problem.laws.c_, problem.laws.t_[:, leaves]),
        prior=problem.prior[leaves],
        caps=problem.caps[leaves],
        lower=problem.lower[leaves],
        names=tuple(np.array(problem.names)[leaves].tolist()),
    )
