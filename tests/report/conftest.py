"""Synthetic reports from a known law: f_i(p) = c_i + exp(t_i'p), observed with seed noise."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from olmix.report.data import Bound, Cost, Leaf, ReportData, Swarm, Task
from olmix.report.laws import Laws, Noise, TaskNoise, Uncertainty

TOPICS = {
    "web": ["software_development", "science_math_and_technology", "health", "literature", "entertainment", "history",
            "electronics", "education_and_jobs", "politics", "games", "religion", "finance_and_business", "travel"],
    "code": ["python", "cpp", "shell", "markdown"],
    "papers": ["arxiv", "pes2o"],
    "pdf": ["crime_and_law", "sports_and_fitness"],
}  # fmt: skip
NAMES = [f"{source}:{topic}" for source, topics in TOPICS.items() for topic in topics]
NAMES += ["encyclopaedia", "dictionary", "speeches"]
FAMILIES = {
    "math": ["algebra", "counting_and_probability", "geometry", "number_theory", "prealgebra"],
    "code": ["humaneval", "mbpp", "mt_mbpp_rust", "mt_mbpp_java", "mt_mbpp_typescript", "mt_mbpp_bash"],
    "qa": ["arc_easy", "arc_challenge", "hellaswag", "piqa", "socialiqa", "medmcqa", "lambada", "squad"],
}


def build(
    m: int = 24, n: int = 19, runs: int | None = None, seeds: int = 3, noise: float = 0.02, tilt: float = 5.0
) -> ReportData:
    """A report on `m` leaves and `n` tasks; the proposal follows the true law for `tilt`, up to the caps."""
    rng = np.random.default_rng(7)
    names = NAMES[:m] + [f"source{j // 12:02d}:topic_number_{j:03d}" for j in range(len(NAMES), m)]
    pairs = [(family, task) for family, tasks in FAMILIES.items() for task in tasks]
    pairs = pairs[:: max(len(pairs) // n, 1)][:n] if n < len(pairs) else pairs
    pairs += [(f"family{i // 8}", f"generated_task_{i:02d}") for i in range(n - len(pairs))]
    tokens = np.exp(rng.normal(20, 1.2, m)).astype(int)
    prior = tokens / tokens.sum()

    topics = {family: rng.normal(0, 0.35, m) for family in dict.fromkeys(family for family, _ in pairs)}
    t = np.array([topics[family] + rng.normal(0, 0.2, m) for family, _ in pairs])
    c = rng.uniform(0.3, 0.9, n)
    budget, repetition = int(tokens.sum() * 1.5), 4.0
    caps = repetition * tokens / budget

    def law(p: np.ndarray) -> np.ndarray:
        return c[:, None] + np.exp(t @ np.atleast_2d(p).T)

    gradient = (np.exp(t @ prior)[:, None] * (t - (t @ prior)[:, None])).mean(axis=0)
    proposal = prior * np.exp(-tilt * gradient)
    for _ in range(200):  # water-filling: what the caps cut off goes to the rest
        proposal = np.minimum(proposal / proposal.sum(), caps)
    proposal /= proposal.sum()

    K = 3 * (m + 1) if runs is None else runs
    strengths = np.exp(rng.uniform(np.log(3), np.log(60), K))
    mixtures = np.array([rng.dirichlet(prior * s + 1e-3) for s in strengths]).reshape(K, m)
    mixtures[mixtures < 0.01] = 0
    mixtures /= mixtures.sum(axis=1, keepdims=True)
    observed = law(mixtures) + rng.normal(0, noise, (n, K))
    heldout = law(mixtures) + rng.normal(0, noise, (n, K))
    # Scores of one seed move together, and the two mixtures of a pair share the seed.
    shared = rng.normal(0, noise, (n, seeds)) + rng.normal(0, noise / 2, seeds)
    own = rng.normal(0, noise / 3, (2, 1, seeds)) + rng.normal(0, noise / 2, (2, n, seeds))
    measured = [law(p) + shared + own[side] for side, p in enumerate((prior, proposal))]
    measured[1] += rng.normal(0, noise / 2, (n, 1)) + 0.01 * np.sign(tilt)  # laws flatter the proposal

    tasks = tuple(
        Task(
            name=name,
            family=family,
            weight=1.0,
            items=200 + 13 * i,
            observed=observed[i],
            heldout=heldout[i],
            effect=np.exp(t[i] @ prior) * (t[i] - t[i] @ prior),
            prior_predicted=float(law(prior)[i, 0]),
            proposal_predicted=float(law(proposal)[i, 0]),
            prior_measured=tuple(measured[0][i].tolist()),
            proposal_measured=tuple(measured[1][i].tolist()),
            noise_sd=noise * float(np.exp(rng.normal(0, 0.5))),
            c=float(c[i]),
            penalty=1e-6,
        )
        for i, (family, name) in enumerate(pairs)
    )
    leaves = tuple(
        Leaf(
            name=names[j],
            source=names[j].split(":")[0],
            documents=int(tokens[j] // 900),
            bytes=int(tokens[j] * 4.1),
            tokens=int(tokens[j]),
            prior=float(prior[j]),
            weight=float(proposal[j]),
            cap=float(caps[j]),
            binding=bool(proposal[j] > caps[j] * (1 - 1e-6)),
            shadow_price=0.013 if proposal[j] > caps[j] * (1 - 1e-6) else 0.0,
        )
        for j in range(m)
    )
    return ReportData(
        project="olmix-graph",
        plan_key="9f2c61d07be4",
        proposal_key="41d8a0cc5e19",
        created="3 March 2026",
        leaves=leaves,
        target_tokens=budget,
        repetition=repetition,
        tasks=tasks,
        swarm=Swarm(
            runs=tuple(f"{rng.integers(16**8):08x}" for _ in range(K)),
            mixtures=mixtures,
            seeds=(0,) * K,
            tokens=(2_048_000,) * K,
            seconds=tuple(rng.uniform(38, 47, K).tolist()),
        ),
        coordinates=tuple(names),
        noise_sd=noise / 2,
        laws=Laws("log_linear"),
        noise=Noise(tuple(TaskNoise(task.name, task.family, task.swarm_sd, task.noise_sd) for task in tasks)),
        certificate={
            "ok": True,
            "proves": "optimal",
            "objective": 1.7312,
            "law": 1.7205,
            "kl_weight": 0.05,
            "divergence": 0.2134,
            "sum_violation": 1.1e-16,
            "bound_violation": 0.0,
            "stationarity": 2.4e-12,
            "sign_violation": 0.0,
            "complementarity": 0.0,
            "gap": 3.2e-9,
            "gap_allowed": 1.7e-8,
            "second_solver": 1.7319,
            "agreement": 0.0007,
            "shadow_prices": {leaf.name: 0.013 for leaf in leaves if leaf.binding},
        },
        bounds=tuple(
            Bound(leaf.name, "cap", leaf.cap, 0.013, 0.013 * repetition / budget) for leaf in leaves if leaf.binding
        ),
        costs=(
            Cost("tokens", m, float("nan"), float("nan"), 41.0),
            Cost("swarm", K, 2_048_000.0 * K, 1.2e13 * K, 42.0 * K),
            Cost("evaluation", K, 310_000.0 * K, 6.1e11 * K, 3.1 * K),
            Cost("law and solution", 2, float("nan"), float("nan"), 8.4),
            Cost("validation", 2 * seeds, 4_096_000.0 * seeds, 2.4e13 * seeds, 84.0 * seeds),
        ),
        provenance=(
            ("olmix", "0.1.0"),
            ("torch", "2.13.0"),
            ("python", "3.11"),
            ("device", "cpu, 2 cores"),
            ("params", "b71c44e2a09d"),
            ("domain set", "e0557d1f3c80"),
        ),
    )


def uncertain(data: ReportData, gain: tuple[float, float] = (0.7, 1.2)) -> ReportData:
    """The report with intervals; that of the gain as multiples of the predicted one."""
    rng = np.random.default_rng(1)
    leaves = tuple(
        replace(
            leaf,
            low=max(0.0, leaf.weight * (1 - rng.uniform(0.05, 0.5))),
            high=min(leaf.cap, leaf.weight * (1 + rng.uniform(0.05, 0.4))),
        )
        for leaf in data.leaves
    )
    predicted = data.headline.prior_predicted - data.headline.proposal_predicted
    interval = (gain[0] * predicted, gain[1] * predicted)
    return replace(data, leaves=leaves, uncertainty=Uncertainty(100, 0.9, interval, 0.02 * predicted))


@pytest.fixture(scope="session")
def report() -> Callable[..., ReportData]:
    return build


@pytest.fixture(scope="session")
def typical() -> ReportData:
    """A report of the usual size, with 24 leaves, 19 tasks and 75 runs."""
    return build()
