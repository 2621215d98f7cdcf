"""What a finished plan holds is what its report says: collected from a real store, with scores of a known law."""

import math

import numpy as np
import pytest

from olmix.regression.families import FAMILIES as FAMILIES_OF_LAWS
from olmix.regression.fit import read_laws
from olmix.report.laws import Laws
from olmix.report.page import render
from olmix.report.write import metrics
from olmix.solve.spec import KIND as PROPOSAL
from tests.plan.generations import accepted
from tests.report.finished import FAMILIES, LEAVES, finish
from tests.report.test_report_generations import no_nan, visible


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The default: log-linear laws of tasks, intervals, and a mixture that is held by caps and by a least weight."""
    solver = {"kl": 0.02, "resamples": 20, "bounds": {"code": [0.1, 1.0]}}
    return finish(tmp_path_factory.mktemp("plain"), solver=solver, target={"tokens": 1_000_000})


@pytest.fixture(scope="module")
def report(plain):
    return plain.report


def test_the_intervals_are_those_of_the_proposal(plain, report):
    stored = plain.store.read_json(PROPOSAL, plain.plan.proposal, "mixture.json")["uncertainty"]
    found = report.uncertainty
    assert (found.resamples, found.level, found.regret) == (20, 0.9, stored["regret"])
    assert report.headline.predicted_interval == (stored["gain"]["low"], stored["gain"]["high"])
    contents = {leaf.name: leaf.content for leaf in plain.plan.leaves}
    assert {leaf.name: [leaf.low, leaf.high] for leaf in report.leaves} == {
        name: stored["weights"][content] for name, content in contents.items()
    }
    assert report.headline.predicted_low < report.headline.predicted < report.headline.predicted_high


def test_the_headline_is_the_mean_law_of_prior_and_proposal(plain, report):
    laws = read_laws(plain.plan, plain.store)
    prior = laws.predict(np.array([[leaf.prior for leaf in report.leaves]]))[0] @ laws.targets.weights
    proposal = laws.predict(np.array([[leaf.weight for leaf in report.leaves]]))[0] @ laws.targets.weights
    assert report.headline.prior_predicted == pytest.approx(prior)
    assert report.headline.proposal_predicted == pytest.approx(proposal)
    assert report.headline.predicted == pytest.approx(report.headline.measured, abs=2)


def test_bounds_that_bind_are_named_by_leaf_with_their_prices(report):
    caps = [bound for bound in report.bounds if bound.kind == "cap"]
    assert {bound.name for bound in caps} == {leaf.name for leaf in report.leaves if leaf.binding}
    assert "maths" in {bound.name for bound in caps}
    assert all(bound.weight == pytest.approx(0.3) and bound.price > 0 for bound in caps)
    assert all(math.isnan(bound.per_token) for bound in caps)  # bounds of one's own: not tokens alone set the caps
    (floor,) = [bound for bound in report.bounds if bound.kind == "floor"]
    assert (floor.name, floor.weight, floor.price > 0) == ("code", 0.1, True)
    assert [leaf.name for leaf in report.leaves if leaf.at_floor] == ["code"]


def test_a_cap_of_repetition_alone_has_a_price_in_tokens(tmp_path):
    report = finish(tmp_path, solver={"kl": 0.02, "resamples": 0}, target={"tokens": 1_000_000}).report
    assert "maths" in {bound.name for bound in report.bounds}
    for cap in report.bounds:
        assert cap.per_token == pytest.approx(cap.price * 2 / 1_000_000)  # a token more raises it by k / R
    assert [bound.price for bound in report.bounds] == sorted((bound.price for bound in report.bounds), reverse=True)
    assert report.uncertainty is None
    assert report.headline.interval == ""
    assert not any(math.isfinite(leaf.low) for leaf in report.leaves)
    assert no_nan(render(report))


def test_the_laws_are_named_and_have_their_penalties(plain, report):
    assert report.laws == Laws("log_linear", "task")
    assert [task.penalty for task in report.tasks] == [1e-7] * 4
    assert [task.c for task in report.tasks] == read_laws(plain.plan, plain.store).family.c_.tolist()
    assert report.heldout_error < 0.3
    assert "f(p) = c + exp(t'p)" in visible(report)


def test_noise_is_that_of_the_seeds_of_each_task(plain, report):
    assert [task.name for task in report.noise.tasks] == list(FAMILIES)
    for task, row in zip(report.tasks, report.noise.tasks, strict=True):
        assert (row.swarm_sd, row.seed_sd) == (task.swarm_sd, task.noise_sd)
        assert (row.use, row.family) == ("kept", FAMILIES[row.name])
        assert math.isnan(row.ratio_at_prior)
    assert report.noise.least_ratio == 0
    assert report.swarm.added == ()


DROWNED = {"algebra": 0.01, "geometry": 0.01, "novels": 0.3, "sports": 0.01}


@pytest.fixture(scope="module")
def dropped(tmp_path_factory):
    settings = {"granularity": "family", "min_signal_to_noise": 5}
    return finish(tmp_path_factory.mktemp("dropped"), noise=DROWNED, regression=settings, solver={"resamples": 0})


def test_a_drowned_task_is_dropped_and_named_and_the_mean_is_over_the_others(dropped):
    report = dropped.report
    (novels,) = report.noise.of("dropped")
    assert (novels.name, novels.ratio_at_prior < 5) == ("novels", True)
    assert report.noise.least_ratio == 5
    assert all(task.ratio_at_prior >= 5 for task in report.noise.of("kept"))
    note = next(note for note in report.notes if "min_signal_to_noise" in note)
    assert "below 5" in note
    assert "novels. The mean is over the 3 tasks kept." in note
    assert report.mean_name == "mean of kept tasks"
    kept = [run.evaluation for run in dropped.plan.fitted]
    scores = [dropped.store.read_json("evaluation", key, "scores.json") for key in kept]
    mean = [np.mean([row[task]["bpb"] for task in ("algebra", "geometry", "sports")]) for row in scores]
    assert report.scores == pytest.approx(mean)


def test_rows_are_the_families_that_laws_are_fitted_to(dropped):
    report = dropped.report
    assert report.laws == Laws("log_linear", "family")
    assert {task.name: task.items for task in report.tasks} == {"exact": 10 + 11, "prose": 13}
    assert report.task_weights.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert report.suite_tasks == 4
    text = visible(report)
    assert "so that rows are families" in text
    assert "5 leaves, 4 tasks" in text


def test_a_task_that_counts_less_is_named_with_its_share(tmp_path):
    settings = {"min_signal_to_noise": 5, "weak_tasks": "downweight"}
    report = finish(tmp_path, noise=DROWNED, regression=settings, solver={"resamples": 0}).report
    (novels,) = report.noise.of("downweighted")
    share = (novels.ratio_at_prior / 5) ** 2
    weights = dict(zip((task.name for task in report.tasks), report.task_weights, strict=True))
    assert weights["novels"] == pytest.approx(share / (3 + share))
    assert any(f"counts less: novels (×{share:.2g})" in note for note in report.notes)


def test_a_grown_swarm_says_its_rounds_and_why_it_stopped(tmp_path):
    swarm = {"rounds": 3, "runs_per_parameter": 5, "enough": 10.0}
    found = finish(tmp_path, regression={"family": "kernel"}, swarm=swarm, solver={"resamples": 5})
    report = found.report
    assert report.swarm.added == (len(found.plan.swarm),)
    assert report.swarm.rounds == 3
    assert report.swarm.stopped.startswith("after 10 runs the expected regret")
    text = visible(report)
    assert "grown in 1 of at most 3 rounds, with 10 runs: those after the first" in text
    assert f"It was not grown further: {report.swarm.stopped}." in text
    assert report.laws == Laws("kernel", "task")
    assert "f(p)" not in text
    assert report.has_effects
    assert report.certificate["proves"] == "locally optimal"


def test_rounds_that_added_runs_are_counted(tmp_path):
    swarm = {"rounds": 2, "enough": 0.0}
    found = finish(tmp_path, swarm=swarm, solver={"resamples": 0})
    assert found.report.swarm.added == (9, 9)
    assert "grown in 2 rounds, with 9 and 9 runs" in visible(found.report)


def test_a_plan_of_an_earlier_round_that_is_gone_costs_the_numbers_only(tmp_path):
    found = finish(tmp_path, swarm={"rounds": 2, "enough": 0.0}, solver={"resamples": 0})
    for folder in (found.store.root / "plan").iterdir():
        (folder / "manifest.json").unlink()
    assert found.report.swarm.added == ()
    assert "The swarm was grown in 2 rounds:" in visible(found.report)


@pytest.mark.parametrize("family", sorted({*FAMILIES_OF_LAWS} - {"auto", "log_linear"}))
def test_every_family_of_laws_has_a_report(tmp_path, family):
    report = finish(tmp_path, regression={"family": family}, solver={"resamples": 3}).report
    page, text = render(report), visible(report)
    assert no_nan(page)
    assert report.laws is not None
    assert f"Laws of the family {family} , {report.laws.kind}." in text
    assert report.has_effects == ("Which leaf helps which task" in text) == (family not in ("lightgbm", "search"))
    assert ("have no gradient" in text) != report.has_effects
    assert 'class="scatter"' in page or family == "search"  # which predicts no run but those that it has seen
    assert report.headline.seeds == 3


def test_laws_without_a_gradient_are_reported_without_effects(plain, monkeypatch):
    from olmix.regression.log_linear import LogLinear

    monkeypatch.setattr(LogLinear, "smooth", False)
    report = plain.report
    assert not report.has_effects
    assert math.isfinite(report.headline.predicted)
    assert "have no gradient" in visible(report)


@pytest.fixture(scope="module")
def carried(tmp_path_factory, plain):
    """An update that removes a leaf: the mixture is carried over."""
    weights = {leaf.name: leaf.weight for leaf in plain.report.leaves}
    parent = accepted("0001-first", LEAVES, weights)
    kept = [leaf for leaf in LEAVES if leaf.name != "code"]
    return finish(tmp_path_factory.mktemp("carried"), kept, (parent,), reuse={"strategy": "full"})


def test_a_mixture_that_is_carried_over_has_no_laws_and_no_intervals(carried):
    report = carried.report
    assert carried.plan.law is None
    assert (report.laws, report.uncertainty, report.bounds) == (None, None, ())
    assert [task.seed_sd > 0 for task in report.noise.tasks] == [True] * 4
    assert not any(math.isfinite(task.swarm_sd) for task in report.noise.tasks)
    assert no_nan(render(report))
    assert "heldout_error" not in metrics(report)["law"]


def test_an_update_with_frozen_ratios_has_no_interval_beside_its_gain(tmp_path, plain):
    weights = {leaf.name: leaf.weight for leaf in plain.report.leaves if leaf.name != "code"}
    total = sum(weights.values())
    known = [leaf for leaf in LEAVES if leaf.name != "code"]
    parent = accepted("0001-first", known, {name: weight / total for name, weight in weights.items()})
    report = finish(tmp_path, LEAVES, (parent,), reuse={"strategy": "full"}).report
    assert report.uncertainty is not None
    assert report.headline.interval == ""
    assert "Over the prior with the same frozen ratios they promise" in visible(report)
    frozen = [leaf for leaf in report.leaves if leaf.virtual]
    assert len(frozen) == 4
    assert [leaf.low / leaf.weight for leaf in frozen] == pytest.approx([frozen[0].low / frozen[0].weight] * 4)
