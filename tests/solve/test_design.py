import numpy as np

from olmix.regression.kernel import Kernel
from olmix.solve.design import choose_runs, next_plan
from olmix.store import Store
from tests.plan.generations import params, plan
from tests.solve.test_reuse import LEAVES, SETTINGS, run_generation

GROWING = {"swarm": SETTINGS["swarm"] | {"rounds": 3, "enough": 0.0}}


def kernel(rng, runs=20):
    P = rng.dirichlet(np.ones(4), runs)
    return Kernel().fit(P, 2 - np.sqrt(P) @ rng.uniform(0, 1, (4, 3)) + 0.01 * rng.normal(size=(runs, 3)))


def test_the_run_that_tells_plausible_proposals_apart_is_chosen():
    """Proposals differ in the first two domains only, so a mixture of those two tells more than one of the others."""
    law = kernel(np.random.default_rng(0))
    plausible = np.array([[0.8, 0.1, 0.05, 0.05], [0.1, 0.8, 0.05, 0.05]])
    pool = np.array([[0.02, 0.02, 0.9, 0.06], [0.8, 0.1, 0.05, 0.05], [0.02, 0.02, 0.06, 0.9]])
    assert choose_runs(law, pool, plausible, np.array([0.45, 0.45, 0.05, 0.05]), 1).tolist() == [1]


def test_a_round_lowers_the_variance_it_aims_at_more_than_other_runs_of_the_pool():
    rng = np.random.default_rng(1)
    law = kernel(rng)
    plausible, pool, proposal = rng.dirichlet([5, 3, 1, 1], 20), rng.dirichlet(np.ones(4), 60), np.full(4, 0.25)

    def variance(rows):
        longer = Kernel.from_json(law.to_json("abcd", "xyz"))
        longer.mixtures_ = np.vstack([law.mixtures_, pool[rows]])
        covariance = longer.posterior(np.vstack([plausible, proposal]), float(np.median(law.noise_)))
        own = np.diag(covariance)
        return (own[:-1] + own[-1] - 2 * covariance[:-1, -1]).sum()

    chosen = variance(choose_runs(law, pool, plausible, proposal, 5))
    assert all(chosen < variance(rng.choice(60, 5, replace=False)) for _ in range(20))


def test_no_run_is_chosen_twice():
    rng = np.random.default_rng(2)
    pool = rng.dirichlet(np.ones(4), 12)
    chosen = choose_runs(kernel(rng), pool, rng.dirichlet(np.ones(4), 9), np.full(4, 0.25), 12)
    assert sorted(chosen.tolist()) == list(range(12))


def grown(tmp_path, **changes):
    """The plan of the first round, and that of the second."""
    from olmix.plan.request import Request
    from tests.plan.generations import SUITE

    settings = {**SETTINGS, **GROWING, **changes}
    first, _, store = run_generation(tmp_path, LEAVES, **{**GROWING, **changes})
    request = Request(tuple(sorted(LEAVES, key=lambda x: x.name)), params(**settings), SUITE)
    return first, next_plan(first, request, store), request, store


def test_the_second_round_adds_runs_to_those_of_the_first(tmp_path):
    first, second, request, _ = grown(tmp_path)
    assert [len(p.swarm) for p in (first, second)] == [request.runs_by(1), request.runs_by(2)] == [7, 12]
    assert second.swarm[:7] == first.swarm
    assert (first.round, second.round, second.rounds) == (1, 2, 3)
    assert (first.key, second.key) == (request.round_key(1), request.round_key(2))
    assert second.law != first.law
    assert [run.name for run in second.swarm[7:]] == [f"swarm-{i:03d}" for i in range(7, 12)]
    assert len({run.key for run in second.swarm}) == 12


def test_the_next_round_is_a_pure_function_of_the_results(tmp_path):
    first, second, request, store = grown(tmp_path)
    assert next_plan(first, request, store) == second


def test_growing_stops_once_the_regret_is_small_enough(tmp_path):
    first, second, request, store = grown(tmp_path, swarm=GROWING["swarm"] | {"enough": 10.0})
    assert second.swarm == first.swarm
    assert second.law == first.law
    assert second.stopped.startswith("after 7 runs the expected regret of the proposal is ")
    third = next_plan(second, request, store)
    assert (third.key, third.stopped) == (request.key, second.stopped)


def test_the_last_round_ends_at_the_full_number_of_runs(tmp_path):
    request = grown(tmp_path)[2]
    assert [request.runs_by(number) for number in (1, 2, 3)] == [7, 12, 18]
    assert request.runs == len(plan(LEAVES, **SETTINGS).swarm) == 18
    assert request.round_key(3) == request.key


def test_the_store_is_only_read(tmp_path):
    grown(tmp_path)
    assert not Store(tmp_path / "store").has("plan", "anything")
