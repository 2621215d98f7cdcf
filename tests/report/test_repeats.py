import math

import numpy as np
import pytest
from scipy import stats

from olmix.report.repeats import Repeats


def repeats(mean, swarm_sd=1.0):
    """Repeats of one task with mean scores (M, S)."""
    mean = np.asarray(mean, float)
    names = tuple(f"m{i}" for i in range(len(mean)))
    return Repeats(names, tuple(range(mean.shape[1])), ("task",), mean[:, :, None], np.ones(1), swarm_sd)


def test_noise_is_pooled_within_mixtures():
    found = repeats([[1.0, 3.0], [10.0, 10.0]], swarm_sd=2.0)
    assert found.sds == pytest.approx([math.sqrt(2), 0.0])
    assert found.sd == pytest.approx(1.0)
    assert found.ratio == pytest.approx(2.0)
    assert found.degrees == 2


def test_tasks_are_weighted():
    scores = np.array([[[1.0, 10.0], [3.0, 10.0]]])
    found = Repeats(("m",), (0, 1), ("a", "b"), scores, np.array([0.25, 0.75]), 1.0)
    assert found.mean.tolist() == [[7.75, 8.25]]
    assert found.task_sds == pytest.approx([math.sqrt(2), 0.0])


def test_a_seed_s_own_level_cancels_in_a_difference():
    level, seed = np.array([[1.0], [5.0], [2.0]]), np.array([[0.3, -0.1, 0.2, 0.0]])
    found = repeats(level + seed)
    assert found.same_seed_sd == pytest.approx(0, abs=1e-12)
    assert found.other_seed_sd == pytest.approx(math.sqrt(2) * seed.std(ddof=1))


def test_independent_noise_does_not_cancel():
    rng = np.random.default_rng(0)
    found = repeats(rng.normal(0, 0.5, (200, 50)))
    assert found.same_seed_sd == pytest.approx(math.sqrt(2) * 0.5, rel=0.02)
    assert found.other_seed_sd == pytest.approx(math.sqrt(2) * 0.5, rel=0.02)


def test_both_parts_are_told_apart():
    rng = np.random.default_rng(1)
    found = repeats(rng.normal(0, 3.0, (1, 400)) + rng.normal(0, 1.0, (40, 400)))
    assert found.same_seed_sd == pytest.approx(math.sqrt(2), rel=0.05)
    assert found.other_seed_sd == pytest.approx(math.sqrt(20), rel=0.1)
    worth = (found.other_seed_sd / found.same_seed_sd) ** 2
    assert f"the common seed is worth {worth:.1f} times as many runs" in found.sentences[-1]


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    held = [low < 0.7 < high for low, high in (repeats(rng.normal(0, 0.7, (4, 3))).interval for _ in range(1000))]
    low, high = stats.binom.ppf([0.001, 0.999], 1000, 0.95) / 1000
    assert low <= np.mean(held) <= high


def test_noise_that_depends_on_the_mixture_is_seen():
    rng = np.random.default_rng(3)
    sds = np.array([[0.1], [0.1], [2.0]])
    found = repeats(rng.normal(0, 1, (3, 12)) * sds)
    assert found.dependence < 0.01
    assert any("It depends on the mixture" in s and "(m2)" in s for s in found.sentences)
    same = repeats(rng.normal(0, 1, (3, 12)))
    assert same.dependence > 0.05
    assert any("It is not seen to depend on the mixture" in s for s in same.sentences)


def test_one_mixture_says_what_it_can():
    found = repeats([[1.0, 2.0, 3.0]], swarm_sd=math.nan)
    assert found.sd == 1.0
    assert math.isnan(found.same_seed_sd)
    assert math.isnan(found.dependence)
    assert len(found.sentences) == 1


def test_seeds_that_agree():
    found = repeats([[1.0, 1.0], [2.0, 2.0]])
    assert found.sd == 0
    assert math.isnan(found.ratio)
    assert found.interval == (0, 0)
    assert len(found.sentences) == 1
