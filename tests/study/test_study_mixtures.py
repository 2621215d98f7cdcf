"""Mixtures from half the runs, and their judge."""

import math
from itertools import pairwise

import numpy as np
import pytest

from olmix.params import RegressionParams
from olmix.regression.families import make_family
from olmix.solve.exact import solve
from olmix.solve.problem import Problem
from olmix.study.grid import hashed_order
from olmix.study.mixtures import fit_judge, judge_half
from olmix.study.table import Limits
from tests.study.swarms_of_known_laws import log_linear, mixtures, table

PARAMS = RegressionParams()
PER_REPETITION = np.array([0.05, 0.03, 0.04, 0.3])  # caps sum to 1 at repetition 2.38
WEIGHTS = (0.0, 0.01, 0.05, 0.2)


@pytest.fixture(scope="module")
def swarm():
    P = mixtures(40)
    limits = Limits(np.zeros(4), np.ones(4), PER_REPETITION, 4.0)
    return table(P, log_linear(P), limits, prior=np.array([0.1, 0.05, 0.05, 0.8]))


@pytest.fixture(scope="module")
def judge(swarm):
    return fit_judge(swarm, PARAMS)


def judged(swarm, judge, settings, family="log_linear"):
    found = judge_half(swarm, family, PARAMS, judge, 0, settings)
    return {(one.kl, one.repetition): one for one in found}


def test_convex_laws_are_solved_to_their_optimum(swarm, judge):
    settings = [(kl, k) for kl in WEIGHTS for k in (4.0, math.inf)]
    found = judged(swarm, judge, settings)
    rows = hashed_order(swarm.P, 0)[:20]
    law = make_family("log_linear", "auto", 0.02).fit_fold(swarm.P[rows], swarm.Y[rows])
    for (kl, k), one in found.items():
        caps = swarm.limits.caps(k)
        problem = Problem(law, np.full(4, 0.25), swarm.prior, caps, kl, swarm.domains)
        solution = solve(problem)
        objective = problem.law(swarm.prior) - one.predicted + kl * one.divergence
        assert objective == pytest.approx(solution.certificate.objective, abs=1e-9)
        assert one.binding == len(solution.certificate.binding)


@pytest.mark.parametrize("family", ["log_linear", "kernel"])
def test_less_penalty_and_looser_caps_promise_more_and_go_further(swarm, judge, family):
    found = judged(swarm, judge, [(kl, 4.0) for kl in WEIGHTS] + [(0.05, k) for k in (3.0, 5.0, math.inf)], family)
    by_kl = [found[kl, 4.0] for kl in WEIGHTS]
    by_cap = [found[0.05, k] for k in (3.0, 4.0, 5.0, math.inf)]
    assert all(a.predicted >= b.predicted - 1e-6 for a, b in pairwise(by_kl))
    assert all(a.divergence >= b.divergence - 1e-6 for a, b in pairwise(by_kl))
    assert all(a.predicted <= b.predicted + 1e-6 for a, b in pairwise(by_cap))
    assert by_cap[-1].binding == 0 < by_cap[0].binding


def test_the_judge_agrees_with_the_truth(swarm, judge):
    """On a swarm of a known law: the judged gain is the true one."""
    one = judged(swarm, judge, [(0.2, math.inf)])[0.2, math.inf]
    assert judge.best_.name == "log_linear"
    rows = hashed_order(swarm.P, 0)[:20]
    law = make_family("log_linear", "auto", 0.02).fit_fold(swarm.P[rows], swarm.Y[rows])
    p = solve(Problem(law, np.full(4, 0.25), swarm.prior, np.ones(4), 0.2, swarm.domains)).weights
    truth = log_linear(np.array([swarm.prior, p]), noise=0).mean(axis=1)
    assert one.judged == pytest.approx(truth[0] - truth[1], abs=0.01)
    assert one.judged > 0.1


def test_caps_that_sum_to_less_than_one_have_no_mixture(swarm, judge):
    found = judged(swarm, judge, [(0.05, 2.0), (0.05, 3.0)])
    assert math.isnan(found[0.05, 2.0].judged)
    assert math.isfinite(found[0.05, 3.0].judged)
