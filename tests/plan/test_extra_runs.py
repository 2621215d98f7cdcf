import numpy as np
import pytest

from olmix.errors import InputError
from olmix.plan.noise import most_different, repeated_runs
from olmix.plan.stages import find_run, stages
from olmix.plan.target import TargetRuns, read_mixtures, target_settings
from tests.plan.generations import leaf, params
from tests.plan.generations import plan as plan_of

COUNTS = {"code": 600_000, "web:news": 300_000, "web:games": 90_000, "maths": 10_000}
LEAVES = sorted((leaf(name) for name in COUNTS), key=lambda leaf: leaf.name)
RUN = {"model": {"layers": 2, "heads": 2, "width": 64, "mlp_width": 128}, "tokens": 40_000, "seeds": 2}
GIVEN = {"other": {"code": 0.25, "maths": 0.75}}


def planned(**changes):
    settings = params(**changes)
    return plan_of(LEAVES, tokens={f"content of {name}": n for name, n in COUNTS.items()}, **changes), settings


def test_repeats_start_from_runs_of_the_plan():
    plan, settings = planned(validation={"seeds": 2}, proxy={"seed": 7}, noise={"mixtures": 3, "seeds": 4})
    repeated = repeated_runs(plan, settings)
    assert [len(runs) for runs in repeated.values()] == [4] * 4
    assert [run.key for run in repeated["prior"][:2]] == [run.key for run in plan.prior_runs]
    known = {run.name: run for run in plan.swarm}
    for name, runs in list(repeated.items())[1:]:
        assert runs[0].key == known[name].key
        assert runs[0].evaluation == known[name].evaluation
    for runs in repeated.values():
        assert [run.spec.seed for run in runs] == [7, 8, 9, 10]
        assert len({run.key for run in runs}) == 4
        assert all(run.spec.counts == runs[0].spec.counts for run in runs)


def test_without_proof_the_prior_is_repeated_too():
    (plan, settings), (proved, _) = planned(validation={"seeds": 0}), planned(validation={"seeds": 2})
    repeated = repeated_runs(plan, settings)["prior"]
    assert [run.key for run in repeated[:2]] == [run.key for run in proved.prior_runs]


def test_no_more_mixtures_than_there_are():
    plan, settings = planned(noise={"mixtures": 1000})
    assert len(repeated_runs(plan, settings)) == len(plan.swarm) + 1


def test_the_most_different_mixtures_are_chosen():
    mixtures = np.array([[0.5, 0.5, 0], [1, 0, 0], [0.9, 0.1, 0], [0, 0, 1.0], [0, 1, 0]])
    prior = np.array([0.4, 0.4, 0.2])
    first, *rest = most_different(mixtures, prior, 3)
    assert first == 3
    assert set(rest) == {1, 4}
    assert most_different(mixtures, prior, 9)[:3] == [first, *rest]
    assert sorted(most_different(mixtures, prior, 9)) == [0, 1, 2, 3, 4]
    assert most_different(mixtures[:0], prior, 3) == []


def test_the_target_differs_from_the_proxy_in_what_is_given():
    settings = params(proxy={"learning_rate": 0.01, "clip": 0.5}, target={"run": RUN})
    proxy, target = settings.proxy, target_settings(settings).proxy
    assert (target.model.width, target.tokens) == (64, 40_000)
    same = set(type(proxy).model_fields) - {"model", "tokens"}
    assert {name: getattr(target, name) for name in same} == {name: getattr(proxy, name) for name in same}
    assert target_settings(params()) is None
    auto = params(target={"run": RUN | {"learning_rate": "auto", "sequence_length": 16}})
    assert target_settings(auto).proxy.learning_rate == "auto"
    assert target_settings(auto).proxy.sequence_length == 16


def test_the_target_is_trained_on_every_mixture_with_the_same_seeds():
    plan, settings = planned(target={"run": RUN}, proxy={"seed": 3})
    target = TargetRuns.of(plan, settings, GIVEN)
    assert list(target.mixtures) == ["prior", "other"]
    for runs in target.mixtures.values():
        assert [run.spec.seed for run in runs] == [3, 4]
        assert {run.spec.model.width for run in runs} == {64}
        assert {sum(run.spec.counts.values()) for run in runs} == {40_000 // 128 * 128}
    tokens = {x.name: x.tokens_key for x in plan.leaves}
    assert target.mixtures["other"][0].spec.counts.keys() == {tokens["code"], tokens["maths"]}
    assert [run.seed for run in target.proposal] == [3, 4]
    assert not {run.key for run in target.proposal} & {run.key for run in plan.validation}


@pytest.mark.parametrize("change", [{"tokens": 80_000}, {"model": "tiny"}, {"learning_rate": 0.5}, {"batch_size": 2}])
def test_every_setting_of_the_target_makes_other_runs(change):
    plan, settings = planned(target={"run": RUN})
    _, changed = planned(target={"run": RUN | change})
    one, two = TargetRuns.of(plan, settings, GIVEN), TargetRuns.of(plan, changed, GIVEN)
    assert not {run.key for run in one.runs} & {run.key for run in two.runs}
    assert not {run.key for run in one.proposal} & {run.key for run in two.proposal}


def test_what_is_asked_for_changes_no_plan():
    plan, _ = planned()
    changed, _ = planned(target={"run": RUN}, noise={"seeds": 9})
    assert changed == plan


def test_stages_come_to_what_was_asked_for_last():
    plan, settings = planned(target={"run": RUN})
    found = list(stages([plan], settings, GIVEN))
    assert [len(runs) for _, runs in found] == [len(plan.runs), 15, 4]
    assert found[0][0] is found[1][0] is settings
    assert found[2][0].proxy.model.width == 64
    last = found[2][1][-1]
    assert find_run(found, "key", last.key) is last
    assert find_run(found, "evaluation", last.evaluation) is last
    with pytest.raises(InputError, match="not part of today's plan"):
        find_run(found, "key", last.evaluation)


def test_no_plan_yet_has_no_stages():
    assert list(stages([], params(), {})) == []


@pytest.mark.parametrize(
    ("run", "given", "message"),
    [
        (RUN | {"tokens": 10}, {}, "target.run.tokens: 10 is less than one batch"),
        (RUN | {"sequence_length": 10_000}, {}, "target.run.sequence_length: 10,000; maths has 10,000 tokens"),
        (RUN, {"mine": {"poems": 1.0}}, "target.run.mixtures: mine: 'poems' is no leaf of the domain set"),
        (None, {}, "target.run: missing; it says which model `snakemake target` trains"),
    ],
)
def test_targets_that_cannot_be_trained(run, given, message):
    plan, settings = planned(target={"run": run, "tokens": 10_000})
    with pytest.raises(InputError, match=message):
        TargetRuns.of(plan, settings, given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weights: {code: 0.5, maths: 0.4}", r"mine.yaml: weights: weights sum to 0.9; allowed: 1"),
        ("weights: {code: 1.5, maths: -0.5}", r"mine.yaml: weights.code: found 1.5: input should be less than"),
        ("weights: {code: .nan}", r"mine.yaml: weights.code: found nan"),
        ("weights: {}", r"mine.yaml: weights"),
        ("code: 1.0", r"mine.yaml: weights: required field is missing"),
        ("weights: {code: '1.0'}", r"mine.yaml: weights.code: found '1.0'"),
        ("weights: {code: true}", r"mine.yaml: weights.code: found True"),
    ],
)
def test_mixture_files_with_mistakes(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_mixtures(["mine.yaml"], tmp_path)


def test_mixture_files(tmp_path):
    (tmp_path / "mine.yaml").write_text("objective: 1.5\nweights: {code: 0.25, maths: 0.75}\n")
    assert read_mixtures(["mine.yaml"], tmp_path) == {"mine": {"code": 0.25, "maths": 0.75}}
    with pytest.raises(InputError, match=r"gone\.yaml: no such file"):
        read_mixtures(["gone.yaml"], tmp_path)


@pytest.mark.parametrize("files", [["a/x.yaml", "b/x.yaml"], ["prior.yaml"], ["results/proposal.yaml"]])
def test_mixtures_have_names_of_their_own(files):
    with pytest.raises(InputError, match="two mixtures would be called"):
        params(target={"run": RUN | {"mixtures": files}})
