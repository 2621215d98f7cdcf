"""Mixture reuse end to end on a known law: plan, scores, fit, solve, accept; only the training is replaced."""

import json

import numpy as np
import pytest

from olmix.evaluation.spec import KIND as EVALUATION
from olmix.regression.fit import fit_laws
from olmix.regression.log_linear import LogLinear
from olmix.solve.document import read_weights
from olmix.solve.exact import solve
from olmix.solve.problem import Problem
from olmix.solve.propose import propose
from olmix.solve.safety import assess_plan
from olmix.store import Store
from tests.plan.generations import SUITE, accepted, leaf, params, plan

LEAVES = [leaf(name) for name in ("books", "code", "maths", "web:games", "web:news")]
NEW = leaf("wiki")
TASKS = [task.name for task in SUITE.tasks]
C = np.array([0.6, 0.9])
T = {  # coefficient per task; every leaf helps something
    "books": [-0.3, 0.1],
    "code": [0.2, -1.0],
    "maths": [-0.4, -0.6],
    "web:games": [0.3, 0.4],
    "web:news": [-0.5, 0.2],
    "wiki": [-0.9, -0.5],
    "useless": [1.5, 1.5],
}
SETTINGS = {
    "swarm": {"runs_per_parameter": 3, "sources": {"min_strength": 1, "max_strength": 20, "minimum_weight": 0.002}},
    "proxy": {"tokens": 320_000, "sequence_length": 32, "batch_size": 4},
    "regression": {"penalty": 0},
}


def law(leaves, mixture):
    t = np.array([T[name] for name in leaves]).T
    return C + np.exp(t @ mixture)


def run_generation(tmp_path, leaves, history=(), **changes):
    """Plan, "train" every run by the known law, fit and solve."""
    settings = {k: SETTINGS.get(k, {}) | changes.get(k, {}) for k in {*SETTINGS, *changes}}
    p = plan(leaves, history, 1_000_000, **settings)
    store = Store(tmp_path / "store")
    names = {x.tokens_key: x.name for x in p.leaves}
    for run in p.fitted:
        total = sum(run.spec.counts.values())
        shares = {names[key]: n / total for key, n in run.spec.counts.items()}
        scores = law(list(shares), np.array(list(shares.values())))
        if not store.has(EVALUATION, run.evaluation):
            with store.publish(EVALUATION, run.evaluation) as draft:
                found = {t: {"bpb": float(s)} for t, s in zip(TASKS, scores, strict=True)}
                (draft.path / "scores.json").write_text(json.dumps(found))
    today = params(**settings)
    if p.law:
        fit_laws(p, today.regression, store)
    propose(p, today.solver, today.target, store)
    return p, {x.name: float(w) for x, w in zip(p.leaves, read_weights(p, store), strict=True)}, store


def accept(name, leaves, p, weights, parent=None):
    contents = {x.tokens_key: x.content for x in p.leaves}
    runs = [(r.key, r.spec.seed, {contents[k]: n for k, n in r.spec.counts.items()}) for r in p.fitted]
    return accepted(name, leaves, weights, parent, p.virtual, runs, law=p.law)


def optimum(leaves, p, kl):
    names = [x.name for x in p.leaves]
    problem = Problem(
        laws=LogLinear.of(C, np.array([T[name] for name in names]).T),
        task_weights=np.array([0.25, 0.75]),
        prior=np.array([x.prior for x in p.leaves]),
        caps=np.array([x.cap for x in p.leaves]),
        kl=kl,
        names=tuple(names),
    )
    return problem, solve(problem).weights


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    p, weights, _ = run_generation(tmp_path_factory.mktemp("first"), LEAVES)
    return accept("0001-initial", LEAVES, p, weights)


def assessed(tmp_path, leaves, history):
    """The plan of an update and its safety, with the laws of all generations in one store."""
    p, weights, store = run_generation(tmp_path, leaves, history)
    return p, weights, assess_plan(p, params().solver, history[::-1], store)


def test_the_full_problem_is_solved_by_the_fitted_law(tmp_path):
    p, weights, _ = run_generation(tmp_path, LEAVES)
    _, best = optimum(LEAVES, p, 0.05)
    assert list(weights.values()) == pytest.approx(best, abs=2e-3)


def test_adding_a_leaf_trains_nine_runs_and_keeps_the_ratios(tmp_path, first):
    p, weights, _ = run_generation(tmp_path, [*LEAVES, NEW], [first])
    assert len(p.swarm) == 9
    assert p.free == ["wiki"]
    rest = 1 - weights["wiki"]
    for name, ratio in p.virtual["existing"].items():
        assert ratio == first.weights[name]
        assert weights[name] / rest == pytest.approx(ratio, rel=1e-12)
    assert abs(sum(weights.values()) - 1) < 1e-12


def test_reuse_of_an_optimal_parent_loses_little(tmp_path, first):
    p, weights, _ = run_generation(tmp_path, [*LEAVES, NEW], [first])
    problem, best = optimum([*LEAVES, NEW], p, 0.05)
    found = np.array([weights[x.name] for x in p.leaves])
    gain = problem.law(problem.prior) - problem.law(best)
    assert weights["wiki"] > 0.2
    assert problem.law(found) - problem.law(best) < 0.05 * gain


def test_a_leaf_that_deserves_nothing_costs_nothing(tmp_path, first):
    changes = {"solver": {"kl": 0}}
    _, weights, _ = run_generation(tmp_path, [*LEAVES, leaf("useless")], [first], **changes)
    assert weights["useless"] == 0
    assert {name: weights[name] for name in first.weights} == first.weights


def test_removing_a_leaf_runs_nothing(tmp_path, first):
    left = [x for x in LEAVES if x.name != "code"]
    p, weights, _ = run_generation(tmp_path, left, [first], target={"tokens": 1_000_000, "repetition": 4})
    assert (p.swarm, p.law, p.free) == ([], None, [])
    kept = {name: weight for name, weight in first.weights.items() if name != "code"}
    total = sum(kept.values())
    assert weights == pytest.approx({name: weight / total for name, weight in kept.items()}, rel=1e-12)


def test_removing_can_push_a_leaf_over_its_cap(tmp_path, first):
    """The others then share the rest in their old ratios, and the proposal says so."""
    left = [x for x in LEAVES if x.name != "code"]
    p, weights, store = run_generation(tmp_path, left, [first], target={"tokens": 10_000_000, "repetition": 4})
    kept = {name: weight / (1 - first.weights["code"]) for name, weight in first.weights.items() if name != "code"}
    over = {name for name, weight in kept.items() if weight > 0.4}
    assert over
    content_of = {x.name: x.content for x in p.leaves}
    solved = store.read_json("proposal", p.proposal, "mixture.json")
    assert set(solved["over_cap"]) == {content_of[name] for name in over}
    assert solved["certificate"]["ok"]
    assert solved["certificate"]["moved"] > 0
    assert sum(weights.values()) == pytest.approx(1, abs=1e-12)
    assert all(weights[name] <= 0.4 for name in weights)
    free = [name for name in kept if weights[name] < 0.4]
    ratios = [weights[name] / kept[name] for name in free]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


def test_an_update_to_an_update(tmp_path, first):
    p, weights, _ = run_generation(tmp_path, [*LEAVES, NEW], [first])
    second = accept("0002-wiki", [*LEAVES, NEW], p, weights, "0001-initial")
    q, later, _ = run_generation(tmp_path, [*LEAVES, NEW, leaf("useless")], [first, second])
    assert q.parent == "0002-wiki"
    assert q.virtual["existing"] == second.weights
    assert len(q.swarm) == 9
    assert abs(sum(later.values()) - 1) < 1e-12


def test_full_recomputation_later_also_uses_earlier_runs(tmp_path, first):
    p, weights, _ = run_generation(tmp_path, [*LEAVES, NEW], [first])
    second = accept("0002-wiki", [*LEAVES, NEW], p, weights, "0001-initial")
    leaves = [*LEAVES, NEW, leaf("useless")]
    q, _, _ = run_generation(tmp_path, leaves, [first, second], reuse={"strategy": "none"})
    assert len(q.swarm) == 3 * 8
    assert {run.key for run in q.evidence} == {key for key, _, _ in [*first.evidence(), *second.evidence()]}
    clean, _, _ = run_generation(tmp_path, leaves, [first, second], reuse={"strategy": "none", "evidence": False})
    assert clean.evidence == []
    assert {run.key for run in clean.swarm} == {run.key for run in q.swarm}


def test_swarm_reuse_counts_earlier_runs(tmp_path, first):
    p, weights, _ = run_generation(tmp_path, [*LEAVES, NEW], [first], reuse={"strategy": "swarm"})
    assert len(p.evidence) == 18
    assert len(p.swarm) == 3
    assert p.virtual == {}
    _, best = optimum([*LEAVES, NEW], p, 0.05)
    assert list(weights.values()) == pytest.approx(best, abs=0.02)


def test_runs_that_used_a_removed_or_revised_leaf_are_no_evidence(tmp_path, first):
    leaves = [x for x in LEAVES if x.name != "code"] + [leaf("code", "other code")]
    p, _, _ = run_generation(tmp_path, leaves, [first], reuse={"strategy": "swarm"})
    without = {key for key, _, counts in first.evidence() if "content of code" not in counts}
    assert {run.key for run in p.evidence} == without
    assert len(p.evidence) + len(p.swarm) == 18


def test_other_settings_make_earlier_runs_useless(tmp_path, first):
    changes = {"reuse": {"strategy": "swarm"}, "proxy": {"learning_rate": 0.1}}
    p, _, _ = run_generation(tmp_path, [*LEAVES, NEW], [first], **changes)
    assert p.evidence == []
    assert len(p.swarm) == 21


def test_the_expanded_kl_term_moves_weight_to_new_data(tmp_path, first):
    """The frozen ratios are far from the prior within them, which the expanded term charges for."""
    _, collapsed, _ = run_generation(tmp_path, [*LEAVES, NEW], [first])
    _, expanded, _ = run_generation(tmp_path, [*LEAVES, NEW], [first], solver={"kl_space": "expanded"})
    assert expanded["wiki"] > collapsed["wiki"] + 1e-3


def test_the_expanded_kl_term_is_the_divergence_of_leaves(tmp_path, first):
    """Minimising over r directly, with KL over leaves, gives the same mixture."""
    from scipy.optimize import minimize_scalar

    from olmix.regression.fit import read_laws

    p, weights, store = run_generation(tmp_path, [*LEAVES, NEW], [first], solver={"kl_space": "expanded", "kl": 0.2})
    laws = read_laws(p, store)
    prior = np.array([x.prior for x in p.leaves])
    new = [c.name for c in p.coordinates].index("wiki")

    def objective(x):
        r = np.full(2, 1 - x)
        r[new] = x
        q = p.space.expand(r)
        return laws.targets.weights @ laws.predict(r[None])[0] + 0.2 * (q @ np.log(q / prior))

    best = minimize_scalar(objective, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-10}).x
    assert weights["wiki"] == pytest.approx(best, abs=1e-6)


def test_the_laws_of_leaves_within_a_virtual_domain_are_carried_over(tmp_path):
    """Over two updates: what the laws say of the natural prior, which is far from the frozen ratios, stays true."""
    p, weights, _ = run_generation(tmp_path, LEAVES)
    history = [accept("0001-initial", LEAVES, p, weights)]
    for leaves in ([*LEAVES, NEW], [*LEAVES, NEW, leaf("useless")]):
        p, weights, safety = assessed(tmp_path, leaves, history)
        c, t = safety.leaf_law
        names = [x.name for x in p.leaves]
        prior = np.array([x.prior for x in p.leaves])
        assert c + np.exp(t @ prior) == pytest.approx(law(names, prior), abs=0.01)
        problem, best = optimum(leaves, p, 0.05)
        found = np.array([weights[name] for name in names])
        assert safety.found, safety.unknown
        assert safety.found.law_gap == pytest.approx(problem.law(found) - problem.law(best), abs=5e-3)
        assert safety.found.recomputed_weight == pytest.approx(sum(weights[name] for name in p.free))
        history.append(accept(f"000{len(history) + 1}-more", leaves, p, weights, history[-1].name))


def test_safety_needs_the_earlier_laws(tmp_path, first):
    _, _, safety = assessed(tmp_path, [*LEAVES, NEW], [first])
    assert safety.found is None
    assert safety.unknown == f"the laws of 0001-initial are not in the store ({first.law}); `dvc pull` may bring them"


def test_nothing_is_frozen_nothing_to_assess(tmp_path):
    _, _, safety = assessed(tmp_path, LEAVES, [])
    assert safety is None
