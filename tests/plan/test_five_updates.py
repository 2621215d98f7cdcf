"""The paper's five updates (Table 5, method sections 9 and 10): dimensions, runs per step, frozen ratios and caps."""

import math

import numpy as np
import pytest

from olmix.plan.planner import repetition_caps
from olmix.plan.space import Space
from tests.plan.generations import accepted, params, plan
from tests.plan.paper import DCLM, PARAMS, STAGE_1, STAGES, TOKENS, WITHOUT_PDFS

DIMENSIONS = {"none": [24, 39, 45, 45, 44, 64], "full": [24, 16, 7, 2, None, 22]}


def share_out(rest, names):
    """Weights that give `rest` to some leaves evenly and scale the others."""
    return {name: rest / len(names) for name in names}


@pytest.fixture(scope="module")
def history():
    """The five stages, each accepted with the authors' mixture as far as it is published."""
    weights = [
        {f"dclm:{name}": row[1] for name, row in DCLM.items()},
        STAGE_1,
        {name: 0.98 * weight for name, weight in WITHOUT_PDFS.items()} | {"s2pdf": 0.02},
    ]
    weights.append(weights[2])
    kept = {name: weight for name, weight in weights[3].items() if name != "algebraicstack"}
    weights.append(kept)
    generations, parent = [], None
    for number, stage in enumerate(weights, start=1):
        total = math.fsum(stage.values())
        normalised = {name: weight / total for name, weight in stage.items()}
        generation = accepted(f"{number:04d}-stage-{number - 1}", STAGES[number - 1], normalised, parent)
        generations.append(generation)
        parent = generation.name
    return generations


def planned(stage, history, c, strategy, **reuse):
    swarm = {"runs_per_parameter": c, "min_runs_per_leaf": 1 if c == 1 else 2}
    changes = PARAMS | {"swarm": swarm, "reuse": {"strategy": strategy, "evidence": False, **reuse}}
    return plan(STAGES[stage], history[:stage], TOKENS, **changes)


@pytest.mark.parametrize("strategy", ["none", "full"])
@pytest.mark.parametrize("c", [1, 2, 3])
def test_runs_per_step(history, strategy, c):
    runs = [len(planned(stage, history, c, strategy).swarm) for stage in range(6)]
    expected = [0 if d is None else c * (d + 1) for d in DIMENSIONS[strategy]]
    assert runs == expected
    if c == 1:
        assert sum(runs) == {"none": 267, "full": 76}[strategy]


def test_partial_recomputation_of_the_topic_that_the_code_competes_with(history):
    p = planned(1, history, 1, "partial", recompute=["dclm:software_development"])
    assert len(p.coordinates) == 17
    assert len(p.virtual["existing"]) == 23


def test_partial_recomputation_of_sources(history):
    p = planned(5, history, 1, "partial", virtual="source")
    assert {name: len(ratios) for name, ratios in p.virtual.items()} == {"dclm": 24, "stack-edu": 15}
    assert len(p.coordinates) == 27


def test_swarm_reuse_adds_what_earlier_runs_leave_open(history):
    """New runs and old ones together are c (m + 1); without any old run it is full recomputation."""
    p = planned(1, history, 1, "swarm", evidence=True)
    assert len(p.swarm) == 40
    assert p.virtual == {}


OPERATORS = [
    {"added": 24},
    {"added": 15, "unchanged": 24},
    {"added": 6, "unchanged": 39},
    {"revised": 1, "unchanged": 44},
    {"removed": 1, "unchanged": 44},
    {"partitioned": 21, "unchanged": 43},
]


@pytest.mark.parametrize("stage", range(6))
def test_the_operators(history, stage):
    p = planned(stage, history, 1, "full")
    assert {name: len(names) for name, names in p.update.items() if names} == OPERATORS[stage]


def test_frozen_ratios_are_those_of_the_parent_bit_by_bit(history):
    for stage in (1, 2):  # nothing is gone: the whole mixture is frozen
        assert planned(stage, history, 1, "full").virtual["existing"] == history[stage - 1].weights


def test_all_runs_of_a_reuse_swarm_have_the_frozen_ratios(history):
    p = planned(5, history, 1, "full")
    ratios = p.virtual["existing"]
    for run in p.swarm:
        frozen = {name: run.mixture[name] for name in ratios if name in run.mixture}
        total = math.fsum(frozen.values())
        for name, weight in frozen.items():
            assert weight / total == pytest.approx(ratios[name], rel=1e-12)
        assert sum(run.mixture.values()) == pytest.approx(1, abs=1e-12)


def test_virtual_caps_of_the_paper(history):
    """Update 3: finemath's frozen share .139740 is over its cap .136232; update 5 likewise (method section 10.1)."""
    for stage, cap in {1: 1.0, 2: 1.0, 3: 0.974894, 5: 0.954810}.items():
        p = planned(stage, history, 1, "full")
        existing = next(c for c in p.coordinates if c.name == "existing")
        assert existing.cap == pytest.approx(cap, abs=2e-6)
    p = planned(1, history, 1, "full")
    names = sorted(p.virtual["existing"])
    tokens = np.array([TOKENS[f"content of {name}"] for name in names])
    uncut = Space.of_ratios([p.virtual["existing"]], names).caps(repetition_caps(tokens, params(**PARAMS).target))
    assert uncut == pytest.approx([2.8122], abs=1e-4)


def test_the_prior_of_a_virtual_domain_is_the_sum_of_its_leaves(history):
    p = planned(1, history, 1, "full")
    total = sum(TOKENS[leaf.content] for leaf in p.leaves)
    expected = sum(row[0] for row in DCLM.values()) / total
    assert next(c.prior for c in p.coordinates if c.name == "existing") == pytest.approx(expected)


def test_the_prior_of_a_virtual_domain_can_be_set(history):
    """Stage 1 of the authors: dclm .75, stack-edu .25 in its natural ratios."""
    p = planned(1, history, 1, "full", prior={"existing": 0.75})
    priors = {c.name: c.prior for c in p.coordinates}
    assert priors["existing"] == 0.75
    assert priors["stack-edu:C"] == pytest.approx(0.25 * 4_735_074_247 / 136_849_631_296)
    assert sum(priors.values()) == pytest.approx(1)
