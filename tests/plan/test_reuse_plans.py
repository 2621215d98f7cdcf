"""Plans after updates that are easily got wrong: evidence, caps, requirements, small leaves."""

import pytest

from olmix.errors import InputError
from tests.plan.generations import accepted, leaf, plan

OLD = [leaf("a"), leaf("b"), leaf("c")]
NEW = leaf("x")
SWARM = {"reuse": {"strategy": "swarm"}, "swarm": {"runs_per_parameter": 3}}


def generation(p, leaves, weights=None):
    contents = {x.tokens_key: x.content for x in p.leaves}
    runs = [(r.key, r.spec.seed, {contents[k]: n for k, n in r.spec.counts.items()}) for r in p.swarm]
    return accepted("0001-initial", leaves, weights, runs=runs)


@pytest.fixture(scope="module")
def trained():
    return generation(plan(OLD, tokens=300_000), OLD)


def test_earlier_runs_are_evidence(trained):
    p = plan([*OLD, NEW], [trained], 300_000, **SWARM)
    assert len(p.evidence) == len(trained.evidence()) == 8
    assert len(p.swarm) == 7


@pytest.mark.parametrize("changes", [{"tokens": 40_000}, {"seed": 1}, {"learning_rate": 0.1}, {"sequence_length": 16}])
def test_runs_of_another_budget_seed_or_setting_are_no_evidence(trained, changes):
    p = plan([*OLD, NEW], [trained], 300_000, **SWARM, proxy=changes)
    assert p.evidence == []
    assert len(p.swarm) == 15


@pytest.mark.parametrize("c", [1, 1.2, 2, 3])
def test_swarm_reuse_covers_a_new_leaf_however_few_runs_are_asked_for(c):
    old = generation(plan(OLD, tokens=300_000, swarm={"runs_per_parameter": 3}), OLD)
    p = plan([*OLD, NEW], [old], 300_000, swarm={"runs_per_parameter": c}, reuse={"strategy": "swarm"})
    assert sum("x" in run.mixture for run in p.swarm) >= 3


def test_a_frozen_leaf_without_prior_is_refused_where_the_kl_term_counts_leaves():
    parent = accepted("0001-initial", OLD, {"a": 0.3, "b": 0.3, "c": 0.4})
    changes = {"prior": {"manual": {"b": 0}}, "swarm": {"max_repetition": 100}}
    with pytest.raises(InputError, match=r"prior\.manual: b has weight in the frozen ratios, but prior 0"):
        plan([*OLD, NEW], [parent], 300_000, **changes, solver={"kl_space": "expanded"})
    assert plan([*OLD, NEW], [parent], 300_000, **changes).virtual["existing"]["b"] == 0.3


def test_a_removal_that_leaves_too_little_under_the_caps_is_refused():
    """Weights .3 and .3 of 1, each leaf can fill .4 of the target, and the third has no ratio to grow from."""
    parent = accepted("0001-initial", [*OLD, NEW], {"a": 0.3, "b": 0.3, "c": 0.4, "x": 0.0})
    counts = {"content of a": 100_000, "content of b": 100_000, "content of x": 300_000}
    with pytest.raises(InputError, match=r"weight in mixtures/0001-initial\.yaml can fill only 0\.8 of the target"):
        plan([OLD[0], OLD[1], NEW], [parent], counts)


@pytest.mark.parametrize("count", [6, 7, 13, 22])
def test_caps_that_sum_to_one_but_for_rounding_are_enough(count):
    leaves = [leaf(f"l{i:02d}") for i in range(count)]
    changes = {"proxy": {"tokens": 1024}, "swarm": {"runs_per_parameter": 1.2, "min_runs_per_leaf": 1}}
    changes["swarm"] |= {"max_repetition": 100, "sources": {"min_strength": 5, "max_strength": 50, "minimum_weight": 0}}
    assert plan(leaves, tokens=100_000, target={"tokens": 200_000 * count, "repetition": 2}, **changes).swarm


def test_a_required_leaf_that_is_frozen_at_zero_is_refused():
    parent = accepted("0001-initial", OLD, {"a": 0.0, "b": 0.5, "c": 0.5})
    with pytest.raises(InputError, match=r"swarm\.required: a is frozen at weight 0"):
        plan([*OLD, NEW], [parent], swarm={"required": ["a"]})


def test_a_required_source_is_in_every_run_where_it_is_frozen():
    old = [leaf("web:a"), leaf("web:b"), leaf("code")]
    p = plan([*old, NEW], [accepted("0001-initial", old)], 300_000, swarm={"required": ["web"]})
    assert all(run.mixture.get("web:a", 0) > 0 for run in p.swarm)


def test_the_only_unaffected_leaf_is_free_if_it_had_no_weight():
    parent = accepted("0001-initial", OLD, {"a": 0.0, "b": 0.5, "c": 0.5})
    p = plan([OLD[0], NEW, leaf("y")], [parent], 300_000)
    assert (p.virtual, sorted(p.free)) == ({}, ["a", "x", "y"])


def test_no_two_runs_train_on_the_same_tokens():
    parent = accepted("0001-initial", OLD)
    for seed in range(40):
        p = plan([*OLD, NEW], [parent], 300_000, swarm={"seed": seed, "runs_per_parameter": 3})
        assert len({run.key for run in p.swarm}) == 9


def test_a_leaf_too_small_for_a_sequence_in_any_run_is_refused():
    counts = {"content of a": 400_000, "content of b": 400_000, "content of c": 3_000}
    proxy = {"tokens": 8192, "sequence_length": 512, "batch_size": 8}
    swarm = {"runs_per_parameter": 1, "min_runs_per_leaf": 1, "seed": 0}
    with pytest.raises(InputError, match=r"proxy\.tokens: (c is so small a part|swarm-.* train on the same tokens)"):
        plan(OLD, tokens=counts, proxy=proxy, swarm=swarm)


@pytest.mark.parametrize(
    ("prior", "message"),
    [({"pdf": 0.3, "web": 0.3}, r"sum to 0\.6; allowed: 1"), ({"pdf": 0.9, "web": 0.9}, r"sum to 1\.8; allowed: 1")],
)
def test_priors_of_all_virtual_domains_sum_to_one(prior, message):
    old = [leaf(f"{source}:{topic}") for source in ("web", "pdf") for topic in "ab"]
    parent = accepted("0001-initial", [*old, leaf("gone")])
    with pytest.raises(InputError, match=message):
        plan(old, [parent], reuse={"strategy": "partial", "virtual": "source", "prior": prior})


def test_a_source_with_one_unaffected_leaf_freezes_nothing():
    with pytest.raises(InputError, match=r"reuse\.virtual: source freezes nothing"):
        plan([*OLD, NEW], [accepted("0001-initial", OLD)], reuse={"strategy": "partial", "virtual": "source"})
