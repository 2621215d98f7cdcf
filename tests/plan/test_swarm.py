from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from olmix.digest import digest
from olmix.errors import InputError
from olmix.params import LevelParams, SwarmParams
from olmix.plan.swarm import TOLERANCE, Coordinates, _dirichlet, _Sampler, _Taken, _variates, sample_swarm, swarm_size

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "olmix-dclm"

# Sources of the paper's real-world study with their prior (method section 3.2, RQ3)
SEVEN = {
    "arxiv": 0.00228,
    "dclm": 0.86903,
    "finemath-3plus": 0.00364,
    "pes2o": 0.00625,
    "stack-edu": 0.01463,
    "wikipedia": 0.00039,
    "s2pdf": 0.10377,
}


def coordinates_of(prior, max_weight=None, required=(), **fields):
    """Coordinates from {name: prior}; `source:topic` names group by source, the id is the digest of the name."""
    names = tuple(prior)
    max_weight = {} if max_weight is None else max_weight
    return Coordinates(
        ids=tuple(digest(name) for name in names),
        names=names,
        sources=tuple(name.split(":")[0] for name in names),
        prior=np.array(list(prior.values())),
        max_weight=np.array([max_weight.get(name, 1.0) for name in names]),
        required=np.array([name in required for name in names]),
        **fields,
    )


def level(low=0.5, high=20.0, minimum=0.002):
    return LevelParams(min_strength=low, max_strength=high, minimum_weight=minimum)


def permuted(coordinates, order):
    order = list(order)
    parts = {name: getattr(coordinates, name) for name in ("ids", "names", "sources")}
    arrays = {name: getattr(coordinates, name)[order] for name in ("prior", "max_weight", "required")}
    return replace(coordinates, **{k: tuple(v[j] for j in order) for k, v in parts.items()}, **arrays)


TWO_LEVELS = coordinates_of(
    {"web:news": 0.3, "web:blogs": 0.2, "web:shops": 0.1, "code:python": 0.1, "code:c": 0.1, "books": 0.2}
)


@st.composite
def problems(draw):
    """Small problems of one to three sources with caps, requirements and both rules for minimum weights."""
    topics = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3).filter(lambda sizes: sum(sizes) > 1))
    names = [f"s{s}:t{t}" if n > 1 else f"s{s}" for s, n in enumerate(topics) for t in range(n)]
    shares = draw(st.lists(st.integers(1, 20), min_size=len(names), max_size=len(names)))
    capped, required = draw(st.sampled_from(names)), draw(st.sampled_from(["", *names]))
    coordinates = coordinates_of(
        {name: share / sum(shares) for name, share in zip(names, shares, strict=True)},
        max_weight={capped: draw(st.floats(0.3, 1))},
        required=(required,),
        required_sources=draw(st.sampled_from([(), (names[0].split(":")[0],)])),
    )
    minimum = draw(st.sampled_from([0.002, 0.02, 0.05]))
    params = SwarmParams(
        seed=draw(st.integers(0, 2**31)),
        sources=level(minimum=draw(st.sampled_from([minimum, 0.002]))),
        topics=level(low=0.1, high=5, minimum=minimum),
        temperature=draw(st.sampled_from([0.5, 1.0])),
        runs_per_parameter=draw(st.sampled_from([2.0, 3.0])),
    )
    return coordinates, params


@settings(max_examples=40, deadline=None)
@given(problem=problems(), data=st.data())
def test_order_of_coordinates_permutes_columns_and_changes_nothing_else(problem, data):
    coordinates, params = problem
    order = data.draw(st.permutations(range(len(coordinates.ids))))
    straight = sample_swarm(coordinates, params)
    assert np.array_equal(straight[:, list(order)], sample_swarm(permuted(coordinates, order), params))


@settings(max_examples=40, deadline=None)
@given(problem=problems())
def test_every_mixture_obeys_every_rule(problem):
    coordinates, params = problem
    swarm = sample_swarm(coordinates, params)
    m = len(coordinates.ids)
    assert swarm.shape == (swarm_size(m, params), m)
    assert np.abs(swarm.sum(axis=1) - 1).max() < 1e-12
    assert (swarm >= 0).all()
    assert (swarm <= coordinates.max_weight).all()
    assert (swarm[:, coordinates.required] > 0).all()
    labels = np.array(coordinates.sources)
    for source in coordinates.required_sources:
        assert (swarm[:, labels == source].sum(axis=1) > 0).all()

    assert ((swarm > 0).sum(axis=0) >= params.min_runs_per_leaf).all()
    assert np.linalg.matrix_rank(swarm) == m
    distances = np.abs(swarm[:, None] - swarm[None]).max(axis=2) + np.eye(len(swarm))
    assert distances.min() > TOLERANCE


@settings(max_examples=40, deadline=None)
@given(problem=problems())
def test_no_weight_lies_between_zero_and_its_minimum(problem):
    coordinates, params = problem
    swarm = sample_swarm(coordinates, params)
    at_least = 1 - 1e-12
    if params.sources.minimum_weight == params.topics.minimum_weight:
        assert swarm[swarm > 0].min() >= params.topics.minimum_weight * at_least
        return
    labels = np.array(coordinates.sources)
    for source in set(coordinates.sources):
        totals = swarm[:, labels == source].sum(axis=1)
        kept = totals > 0
        shares = swarm[kept][:, labels == source] / totals[kept, None]
        assert totals[kept].min() >= params.sources.minimum_weight * at_least
        assert shares[shares > 0].min() >= params.topics.minimum_weight * at_least


def test_both_rules_for_minimum_weights_do_clip():
    equal = SwarmParams(sources=level(minimum=0.05), topics=level(minimum=0.05))
    assert (sample_swarm(TWO_LEVELS, equal) == 0).any()
    different = SwarmParams(sources=level(minimum=0.002), topics=level(minimum=0.05))
    swarm = sample_swarm(TWO_LEVELS, different)
    assert (swarm == 0).any()
    assert swarm[swarm > 0].min() < 0.05  # a share of its source is meant, not of the mixture


def test_renaming_leaves_and_sources_changes_no_bit():
    renamed = replace(TWO_LEVELS, names=tuple("fedcba"), sources=("p", "p", "p", "q", "q", "r"))
    params = SwarmParams()
    assert np.array_equal(sample_swarm(TWO_LEVELS, params), sample_swarm(renamed, params))


def test_the_grouping_into_sources_matters():
    flat = replace(TWO_LEVELS, sources=tuple(TWO_LEVELS.names))
    assert not np.array_equal(sample_swarm(TWO_LEVELS, SwarmParams()), sample_swarm(flat, SwarmParams()))


def test_global_random_state_is_neither_read_nor_changed():
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    first = sample_swarm(TWO_LEVELS, SwarmParams())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert np.array_equal(first, sample_swarm(TWO_LEVELS, SwarmParams()))


def test_another_seed_gives_other_mixtures():
    first, second = (sample_swarm(TWO_LEVELS, SwarmParams(seed=seed)) for seed in (1, 2))
    assert np.abs(first - second).max(axis=1).min() > TOLERANCE


def test_mixtures_are_the_recorded_ones():
    """Golden values of this sampler: if they change (NumPy may do it too), every proxy is trained again."""
    swarm = sample_swarm(coordinates_of({"a:x": 0.3, "a:y": 0.2, "b": 0.5}), SwarmParams())
    golden = [
        [0.1879868005669435, 0.2841640503724307, 0.5278491490606257],
        [0.44489050079902165, 0.04983428698301354, 0.5052752122179648],
        [0.07218334133016142, 0.01094847271676222, 0.9168681859530764],
    ]
    np.testing.assert_allclose(swarm[:3], golden, rtol=1e-9)


@pytest.mark.parametrize(("m", "c", "runs"), [(24, 3.0, 75), (240, 3.0, 723), (24, 2.2, 55), (6, 2.5, 18), (2, 3.0, 9)])
def test_swarm_size_is_c_times_m_plus_1(m, c, runs):
    assert swarm_size(m, SwarmParams(runs_per_parameter=c)) == runs


def test_a_larger_swarm_begins_with_the_smaller_one():
    params = SwarmParams(min_runs_per_leaf=1)
    assert np.array_equal(sample_swarm(TWO_LEVELS, params, 80)[:40], sample_swarm(TWO_LEVELS, params, 40))


def test_repaired_coverage_keeps_the_first_runs_when_the_swarm_grows():
    coordinates, params = coordinates_of(SEVEN), SwarmParams()
    small, large = sample_swarm(coordinates, params, 24), sample_swarm(coordinates, params, 60)
    same = (small == large[:24]).all(axis=1)
    assert same[:4].all()
    assert same.mean() > 0.6
    assert not np.array_equal(small, large[:24])  # the smaller swarm did need the repair


def test_rare_domains_are_covered_by_choosing_candidates():
    coordinates = coordinates_of(SEVEN)
    plain = sample_swarm(coordinates, SwarmParams(min_runs_per_leaf=1))
    covered = sample_swarm(coordinates, SwarmParams(min_runs_per_leaf=4))
    wikipedia = coordinates.names.index("wikipedia")
    assert (plain[:, wikipedia] > 0).sum() < 4  # the repair had something to do
    assert ((covered > 0).sum(axis=0) >= 4).all()


def test_with_one_source_only_its_topics_vary():
    coordinates = coordinates_of({"web:a": 0.5, "web:b": 0.3, "web:c": 0.2})
    params = SwarmParams(topics=level(1, 10, 0.01))
    swarm = sample_swarm(coordinates, params)
    other_sources = params.model_copy(update={"sources": level(5, 6, 0.3)})
    assert np.array_equal(swarm, sample_swarm(coordinates, other_sources))


def test_a_source_that_is_a_leaf_has_its_whole_weight_whatever_the_topics():
    coordinates = coordinates_of({"a": 0.5, "b": 0.3, "c": 0.2})
    swarm = sample_swarm(coordinates, SwarmParams())
    other_topics = SwarmParams(topics=level(0.01, 0.02, 0.6))
    assert np.array_equal(swarm, sample_swarm(coordinates, other_topics))


def test_mixtures_centre_on_the_prior_and_temperature_flattens_it_at_both_levels():
    prior = {"web:a": 0.5, "web:b": 0.1, "books": 0.4}
    dense = level(20, 20, 0)
    params = SwarmParams(sources=dense, topics=dense)
    mean = sample_swarm(coordinates_of(prior), params, 1500).mean(axis=0)
    np.testing.assert_allclose(mean, [0.5, 0.1, 0.4], atol=0.012)

    flat = params.model_copy(update={"temperature": 0.5})
    web = 0.6**0.5 / (0.6**0.5 + 0.4**0.5)
    a = 5**0.5 / (5**0.5 + 1)
    mean = sample_swarm(coordinates_of(prior), flat, 1500).mean(axis=0)
    np.testing.assert_allclose(mean, [web * a, web * (1 - a), 1 - web], atol=0.012)


def test_strengths_act_on_their_own_level():
    params = SwarmParams(sources=level(1e4, 1e5, 0.002), topics=level(0.1, 0.2, 0.05))
    swarm = sample_swarm(coordinates_of({"a:x": 0.25, "a:y": 0.25, "b:x": 0.25, "b:y": 0.25}), params, 30)
    assert np.abs(swarm[:, :2].sum(axis=1) - 0.5).max() < 0.03
    assert (swarm == 0).mean() > 0.2


def test_strengths_are_log_spaced_and_drawn_for_each_run():
    """Between 0.01 and 10⁴ half of the strengths are below 10; with linear spacing hardly any would be."""
    params = SwarmParams(sources=level(0.01, 1e4, 0), strengths=15)
    swarm = sample_swarm(coordinates_of({"a": 0.5, "b": 0.5}), params, 200)
    close = np.abs(swarm[:, 0] - 0.5) < 0.1
    assert 0.3 < close.mean() < 0.8
    assert (np.abs(swarm[:, 0] - 0.5) < 0.01).any()
    one = params.model_copy(update={"strengths": 1, "sources": level(1e4, 1e6, 0)})
    spread = sample_swarm(coordinates_of({"a": 0.5, "b": 0.5}), one, 200)[:, 0].std()
    assert spread == pytest.approx(0.5 / np.sqrt(1e4), rel=0.2)  # the smallest strength is used


@pytest.mark.parametrize("minimum", [0.0, 0.01, 0.2])  # the last one leaves nothing of some
def test_a_first_candidate_is_the_same_alone_and_among_all(minimum):
    rng = np.random.default_rng(5)
    prior = {f"s{rng.integers(30)}:t{j}": weight for j, weight in enumerate(rng.dirichlet(np.ones(200)))}
    params = SwarmParams(sources=level(0.5, 20, minimum), topics=level(0.5, 20, minimum))
    sampler = _Sampler(coordinates_of(prior), params)
    first = sampler.first(range(20))
    assert first.tobytes() == np.vstack([sampler.draw(run, 0, params.candidates)[:1] for run in range(20)]).tobytes()
    assert (first.sum(axis=1) == 0).any() == (minimum == 0.2)
    assert not sampler.allowed(first)[first.sum(axis=1) == 0].any()


def test_a_mixture_is_new_if_it_differs_from_each_other_one_in_some_weight():
    """Mixtures on a coarse grid, so that many agree in their largest weights, against the definition."""
    rng = np.random.default_rng(7)
    mixtures = rng.multinomial(24, np.full(12, 1 / 12), 300) / 24
    mixtures[100:200] = mixtures[:100] + rng.choice([0, 0.007, 0.02], (100, 12), p=[0.9, 0.08, 0.02])
    taken, new = _Taken(mixtures[:50], 250, 0.01), []
    for run, mixture in enumerate(mixtures[50:]):
        distances = np.abs(mixtures[: 50 + run] - mixture).max(axis=1)
        assert taken.lacks(mixture) == (distances > 0.01).all()
        taken.put(run, mixture)
        others = np.delete(mixtures[: 51 + run], 50 + run, axis=0)
        assert taken.lacks(mixture, but=run) == (np.abs(others - mixture).max(axis=1) > 0.01).all()
        new.append(taken.lacks(mixture, but=run))
    assert 20 < sum(new) < 230


def dirichlet(seed, alpha):
    variates = _variates(np.random.default_rng(seed), np.ones(1), np.asarray(alpha), 4000, 4000)
    return _dirichlet([variates], np.array([0]))


def test_dirichlet_draws_have_the_right_marginals():
    draws = dirichlet(seed=3, alpha=[0.4, 1.5, 3.0])
    for column, alpha in enumerate([0.4, 1.5, 3.0]):
        assert stats.kstest(draws[:, column], stats.beta(alpha, 4.9 - alpha).cdf).pvalue > 1e-3


@pytest.mark.parametrize("strength", [1e-3, 1e-9, 1e-200, 1e-308])
def test_dirichlet_draws_of_tiny_strength_are_corners_in_proportion_to_the_prior(strength):
    centre = np.array([0.6, 0.3, 0.1])
    draws = dirichlet(seed=4, alpha=strength * centre)
    np.testing.assert_allclose(draws.sum(axis=1), 1, rtol=1e-12)
    if strength >= 1e-200:
        np.testing.assert_allclose(draws.mean(axis=0), centre, atol=0.03)


def test_a_required_source_keeps_its_topics_sparse():
    params = SwarmParams(sources=level(minimum=0.02), topics=level(0.1, 1, 0.05))
    swarm = sample_swarm(replace(TWO_LEVELS, required_sources=("code",)), params)
    code = swarm[:, 3:5]
    assert (code.sum(axis=1) > 0).all()
    assert (code == 0).any()


LEAVES = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}


@pytest.mark.parametrize(
    ("coordinates", "params", "count", "said"),
    [
        ({"prior": {"a": 1.0}}, {}, None, ["one domain only: there is nothing to mix"]),
        ({"prior": {}}, {}, None, ["no domains"]),
        ({"prior": LEAVES}, {}, 4, ["4 runs", "4 domains", "at least 5"]),
        ({"prior": LEAVES}, {"min_runs_per_leaf": 16}, None, ["swarm.min_runs_per_leaf", "16", "at most 15"]),
        ({"prior": {**LEAVES, "e": 0.0}}, {}, None, ["domain e", "prior 0", "prior.manual"]),
        (
            {"prior": LEAVES, "max_weight": dict.fromkeys(LEAVES, 0.3) | {"d": 0.05}},
            {},
            None,
            ["swarm.max_repetition", "0.95", "d, at most 0.05", "proxy.tokens"],
        ),
        (
            {"prior": LEAVES, "max_weight": {"d": 0.01}, "required": ("d",)},
            {"sources": level(minimum=0.02)},
            None,
            ["d can have no weight", "0.02", "0.01", "minimum_weight", "swarm.max_repetition"],
        ),
        ({"prior": LEAVES, "required_sources": ("z",)}, {}, None, ["swarm.required", "no source z", "a, b, c, d"]),
        (
            {"prior": LEAVES, "required": tuple(LEAVES)},
            {"sources": level(minimum=0.3)},
            None,
            ["swarm.required", "d is missing", "minimum_weight"],
        ),
        (
            {"prior": {"a:x": 0.5, "a:y": 0.4, "b:x": 0.1}, "required_sources": ("a", "b")},
            {"sources": level(minimum=0.6)},
            None,
            ["swarm.required", "b is missing"],
        ),
        (
            {"prior": {f"s{i}": 0.05 for i in range(20)}, "max_weight": {f"s{i}": 0.0501 for i in range(20)}},
            {},
            None,
            ["swarm.max_repetition", "is above its largest weight 0.0501", "of candidates"],
        ),
        (
            {"prior": {f"s{i}": 0.05 for i in range(20)}},
            {"sources": level(100, 100, 0.5)},
            None,
            ["minimum_weight removed all domains"],
        ),
        ({"prior": LEAVES}, {"sources": level(minimum=0.6)}, None, ["only 4 distinct mixtures for 15 runs"]),
        (
            {"prior": {"a": 0.6, "b": 0.4 - 1e-12, "c": 1e-12}},
            {},
            None,
            [
                "swarm.min_runs_per_leaf: c is in 0 of 12 runs, 3",
                "runs_per_parameter",
                "max_strength",
                "minimum_weight",
            ],
        ),
        (
            {"prior": {"a": 0.6, "b": 0.4}},
            {"sources": level(1e9, 1e9, 0.002)},
            None,
            ["cannot tell", "condition number", "min_strength"],
        ),
    ],
)
def test_what_cannot_be_sampled_is_explained(coordinates, params, count, said):
    with pytest.raises(InputError) as error:
        sample_swarm(coordinates_of(**coordinates), SwarmParams(**params), count)
    assert [part for part in said if part not in str(error.value)] == []
    assert "\n" not in str(error.value)


def test_equal_content_under_two_names_is_refused():
    twice = replace(TWO_LEVELS, ids=(TWO_LEVELS.ids[1], *TWO_LEVELS.ids[1:]))
    with pytest.raises(InputError, match="web:blogs and web:news have the same content"):
        sample_swarm(twice, SwarmParams())


def test_24_sources_of_10_topics():
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(np.full(24, 5.0))[:, None] * rng.dirichlet(np.full(10, 3.0), 24)
    coordinates = coordinates_of({f"s{i}:t{j}": shares[i, j] for i in range(24) for j in range(10)})
    swarm = sample_swarm(coordinates, SwarmParams())
    assert swarm.shape == (723, 240)
    assert np.linalg.matrix_rank(swarm) == 240


@pytest.mark.skipif(not DATA.exists(), reason="the published swarm is not in ../shared/data/olmix-dclm")
def test_topics_are_as_sparse_as_in_the_published_swarm():
    table = pd.read_csv(DATA / "domains.csv")
    prior = table.relative_size / table.relative_size.sum()
    coordinates = coordinates_of({f"dclm:{name}": share for name, share in zip(table.domain, prior, strict=True)})
    params = SwarmParams(topics=level(low=0.1, high=5, minimum=0.05))
    ours = (sample_swarm(coordinates, params, 128) > 0).sum(axis=1)
    published = (pd.read_csv(DATA / "ratios.csv")[table.domain].to_numpy() > 0).sum(axis=1)
    assert ours.min() >= 1
    assert 2 <= np.median(ours) <= 5
    assert abs(np.median(ours) - np.median(published)) <= 1
    assert ours.max() <= published.max() + 3
