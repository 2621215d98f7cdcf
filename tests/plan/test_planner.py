import numpy as np
import pytest

from olmix.errors import InputError
from olmix.params import Params
from olmix.plan.planner import repetition_caps
from olmix.plan.request import Request
from olmix.plan.rounds import candidates
from olmix.plan.runs import Runs
from olmix.schema import parse
from tests.plan.generations import PARAMS, SUITE, accepted, leaf, params
from tests.plan.generations import plan as plan_of

COUNTS = {"code": 600_000, "web:news": 300_000, "web:games": 90_000, "maths": 10_000}

LEAVES = sorted((leaf(name) for name in COUNTS), key=lambda leaf: leaf.name)


def plan(leaves=LEAVES, counts=COUNTS, **changes):
    return plan_of(leaves, tokens={f"content of {name}": n for name, n in counts.items()}, **changes)


def keys(plan):
    return (
        {run.key for run in plan.runs},
        {run.evaluation for run in plan.runs},
        plan.law,
        plan.proposal,
        {run.key for run in plan.validation},
    )


def test_planning_is_pure():
    assert plan() == plan()


def test_names_of_leaves_and_sources_change_no_key_but_the_plans():
    renamed = [leaf("python", "content of code"), *LEAVES[1:]]
    renamed = [leaf(x.name.replace("web:news", "web:press"), x.content) for x in renamed]
    renamed.sort(key=lambda leaf: leaf.name)
    assert [x.name for x in renamed] != [x.name for x in LEAVES]
    assert keys(plan(renamed)) == keys(plan())
    assert plan(renamed).key != plan().key


def test_every_run_trains_whole_batches_of_exactly_the_mixture():
    for run in plan().runs:
        counts = np.array([run.spec.counts.get(x.tokens_key, 0) for x in plan().leaves])
        assert counts.sum() == 10_000 // (32 * 4) * 32 * 4
        assert (counts % 32 == 0).all()
        wanted = np.array([run.mixture.get(x.name, 0) for x in plan().leaves])
        assert np.abs(counts / counts.sum() - wanted).max() < 32 / counts.sum()


def test_the_size_of_the_swarm():
    assert len(plan().swarm) == 10
    assert len({run.key for run in plan().swarm}) == 10


def test_the_swarm_shares_one_seed_and_validation_pairs_seeds():
    p = plan(validation={"seeds": 2}, proxy={"seed": 7})
    assert {run.spec.seed for run in p.swarm} == {7}
    assert [run.spec.seed for run in p.prior_runs] == [run.seed for run in p.validation] == [7, 8]
    assert all(run.mixture == {x.name: x.prior for x in p.leaves} for run in p.prior_runs)


def test_natural_prior_and_caps():
    p = {x.name: x for x in plan().leaves}
    assert p["code"].prior == pytest.approx(0.6)
    assert p["code"].cap == 1
    assert p["maths"].cap == pytest.approx(2 * 10_000 / 500_000)


def changed(name):
    """Which keys differ after one change."""
    changes = {
        "kl": {"solver": {"kl": 0.1}},
        "target": {"target": {"tokens": 400_000}},
        "penalty": {"regression": {"penalty": 0.1}},
        "learning rate": {"proxy": {"learning_rate": 0.1}},
        "sampler": {"swarm": {"seed": 1}},
    }
    before, after = keys(plan()), keys(plan(**changes[name]))
    names = ("runs", "evaluations", "law", "proposal", "validation")
    return {n for n, b, a in zip(names, before, after, strict=True) if b != a}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("kl", {"proposal", "validation"}),
        ("target", {"proposal", "validation"}),
        ("penalty", {"law", "proposal", "validation"}),
        ("learning rate", {"runs", "evaluations", "law", "proposal", "validation"}),
        ("sampler", {"runs", "evaluations", "law", "proposal", "validation"}),
    ],
)
def test_a_param_changes_exactly_the_keys_below_it(change, expected):
    assert changed(change) == expected


def test_where_things_are_is_no_part_of_the_plan():
    moved = parse(
        PARAMS
        | {"domains": "elsewhere", "evaluation": {"suite": "other.yaml"}, "tokenizer": {"digest": "t", "path": "q"}},
        Params,
        "params.yaml",
    )
    assert Request(tuple(LEAVES), moved, SUITE).key == Request(tuple(LEAVES), params(), SUITE).key


def test_a_run_without_a_leaf_survives_any_change_to_it():
    revised = [leaf(x.name, "content of revised" if x.name == "maths" else x.content) for x in LEAVES]
    p = plan()
    mixture = np.array([0.0 if x.name == "maths" else 1 / 3 for x in p.leaves])
    after = plan(revised, COUNTS | {"revised": 12_000})
    one, two = (Runs(q.leaves, params(), SUITE.content, 300).spec(mixture, 0).key for q in (p, after))
    assert one == two
    assert keys(after)[0] != keys(p)[0]


@pytest.mark.parametrize(
    ("counts", "changes", "message"),
    [
        ({"maths": 20}, {}, "domains: maths has 20 tokens, a proxy sequence needs 33"),
        ({}, {"target": {"tokens": 5_000_000}}, r"target\.tokens: 5,000,000 cannot be met: all leaves hold 1,000,000"),
        ({}, {"proxy": {"tokens": 100}}, r"proxy\.tokens: 100 is less than one batch of 128"),
        ({}, {"swarm": {"required": ["nothing"]}}, r"swarm\.required: 'nothing' is no leaf or source; allowed: code"),
        ({}, {"prior": {"manual": {"nothing": 0.5}}}, r"prior\.manual\.nothing"),
    ],
)
def test_what_cannot_be_met_is_refused_before_training(counts, changes, message):
    with pytest.raises(InputError, match=message):
        plan(counts=COUNTS | counts, **changes)


def test_one_domain_is_refused():
    with pytest.raises(InputError, match=r"one leaf only \(code\)"):
        plan([leaf("code")])


def test_caps_that_sum_to_one_are_enough():
    plan(target={"tokens": 2_000_000})
    with pytest.raises(InputError, match="1 short"):
        plan(target={"tokens": 2_000_001})


def test_repetition_caps_are_those_of_the_paper():
    target = params(target={"tokens": 10**12, "repetition": 4}).target
    caps = repetition_caps(np.array([18_017_832_560, 34_057_973_953, 10**12]), target)
    assert caps == pytest.approx([0.072071330240, 0.136231895812, 4.0])


def test_frozen_ratios_that_leave_no_feasible_mixture_are_explained():
    old = [leaf("code"), leaf("maths"), leaf("wiki")]
    parent = accepted("0001-initial", old, {"code": 0.1, "maths": 0.8, "wiki": 0.1})
    settings = {"target": {"tokens": 700_000, "repetition": 2}}
    with pytest.raises(InputError, match=r"fills only 0\.6429 of the target; maths would be .*recompute: \[maths\]"):
        plan_of([*old, leaf("new")], [parent], 100_000, **settings)
    partial = settings | {"reuse": {"strategy": "partial", "recompute": ["maths"]}}
    assert sorted(plan_of([*old, leaf("new")], [parent], 100_000, **partial).virtual["existing"]) == ["code", "wiki"]


@pytest.mark.parametrize(
    ("reuse", "message"),
    [
        (
            {"strategy": "partial", "recompute": ["nothing"]},
            r"reuse\.recompute: 'nothing' is no leaf or source; allowed",
        ),
        ({"prior": {"nothing": 0.5}}, r"reuse\.prior\.nothing: no such virtual domain; virtual domains .*: existing"),
        ({"strategy": "partial"}, "partial needs `recompute` or `virtual: source`"),
        ({"strategy": "none", "recompute": ["code"]}, "strategy none takes no `recompute`"),
        ({"prior": {"existing": 1.5}}, r"prior\.existing is 1\.5"),
        ({"strategy": "everything"}, r"reuse\.strategy: found 'everything'"),
    ],
)
def test_mistakes_in_reuse_params(reuse, message):
    old = [leaf("code"), leaf("maths"), leaf("wiki")]
    with pytest.raises(InputError, match=message):
        plan_of([*old, leaf("new")], [accepted("0001-initial", old)], reuse=reuse)


def test_leaves_without_weight_have_no_ratios_to_reuse():
    old = [leaf("code"), leaf("maths"), leaf("wiki")]
    parent = accepted("0001-initial", old, {"code": 0, "maths": 1, "wiki": 0})
    with pytest.raises(InputError, match=r"mixtures/0001-initial\.yaml: code, wiki: .* no ratios to reuse"):
        plan_of([old[0], old[2], leaf("maths", "revised")], [parent])


def test_a_failed_run_is_no_candidate_of_the_next_round():
    """It is tried again: a second run on the same mixture would have its key."""
    settings = params(swarm={"rounds": 2})
    request = Request(tuple(LEAVES), settings, SUITE)
    first = plan(swarm={"rounds": 2})
    near = np.array([coordinate.prior for coordinate in first.coordinates])
    names = [x.name for x in first.leaves]
    for failed in first.swarm:
        settled = first.model_copy(update={"failed": {failed.key: "the loss is nan"}})
        pool = candidates(settled, request, near, 30)
        mixture = np.array([failed.mixture.get(name, 0.0) for name in names])
        closest = np.abs(first.space.expand(pool) - mixture).max(axis=1).min()
        assert closest > 32 / 10_000
