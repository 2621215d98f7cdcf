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


CORNERS = (
    "plain",
    "kl 0",
    "kl large",
    "one leaf",
    "leaf without tokens",
    "leaf without prior",
    "caps sum to 1",
    "caps sum to hardly more than 1",
    "lower bounds",
    "infeasible",
)


def random_problem(seed):
    """A random problem and its corner case, one of CORNERS in turn: 1 to 40 leaves, flat to steep laws, loose to tight
    caps, even to very uneven priors."""
    rng, corner = np.random.default_rng([seed, 11]), CORNERS[seed % len(CORNERS)]
    domains = 1 if corner == "one leaf" else int(rng.choice([2, 3, 4, 8, 16, 40]))
    tasks = int(rng.integers(1, 20))
    kl = {"kl 0": 0.0, "kl large": 1e7}.get(corner, float(rng.choice([0, 1e-4, 1e-3, 0.05, 0.05, 1])))
    t = rng.normal(-0.3, rng.choice([0.1, 0.5, 1, 3]), (tasks, domains)) * (rng.random((tasks, domains)) < 0.7)
    prior = rng.dirichlet(np.full(domains, rng.choice([0.3, 1, 10])))
    caps = rng.choice([1.5, 4, np.inf]) * np.maximum(prior, 0.2 / domains)
    lower = np.zeros(domains)
    if corner in ("leaf without tokens", "leaf without prior"):
        (caps if corner.endswith("tokens") else prior)[rng.integers(domains)] = 0
        caps *= 1.01 / min(1.01, np.minimum(np.where((prior > 0) | (kl == 0), caps, 0), 1).sum())
    elif corner.startswith("caps sum"):
        caps = rng.dirichlet(np.ones(domains)) * (1 if corner.endswith("to 1") else 1 + rng.choice([1e-9, 1e-4, 0.05]))
    elif corner == "lower bounds":
        lower = np.minimum(caps, 1) * rng.uniform(0, 1, domains) * (rng.random(domains) < 0.5)
        lower *= rng.uniform(0.2, 1) / max(1.0, lower.sum())
    elif corner == "infeasible":
        caps = rng.dirichlet(np.ones(domains)) * rng.choice([rng.uniform(0.05, 0.999), 1 - 1e-6, 1 - 1e-9])
    problem = Problem(
        laws=LogLinear.of(rng.uniform(0.5, 1.5, tasks), t),
        task_weights=rng.uniform(0.5, 2, tasks),
        prior=prior,
        caps=caps,
        kl=kl,
        names=tuple(f"leaf{j}" for j in range(domains)),
        lower=lower,
    )
    return problem, corner
