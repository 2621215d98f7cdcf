"""Problems for tests of the solver and of its certificate."""

import numpy as np

from olmix.solve.problem import Problem


def make_problem(domains=6, tasks=5, kl=0.05, caps=None, prior=None, seed=0, scale=1.0):
    """Random laws; caps default to none, the prior to a random one."""
    rng = np.random.default_rng(seed)
    return Problem(
        c=rng.uniform(0.5, 1.5, tasks),
        t=rng.normal(-0.3, scale, (tasks, domains)),
        task_weights=rng.uniform(0.5, 2, tasks),
        prior=rng.dirichlet(np.ones(domains)) if prior is None else np.asarray(prior, float),
        caps=np.full(domains, np.inf) if caps is None else np.asarray(caps, float),
        kl=kl,
        names=tuple(f"leaf{j}" for j in range(domains)),
    )
