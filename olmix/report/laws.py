"""Values about the laws: of what kind they are, how sure the proposal is that follows from them, and the noise."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Granularity = Literal["task", "family", "aggregate"]
Use = Literal["kept", "dropped", "downweighted"]

_KINDS = {
    "log_linear": "f(p) = c + exp(t'p)",
    "kernel": "one Gaussian process for all tasks on log weights",
    "blend": "the mean of log-linear laws and of a Gaussian process on log weights",
    "ridge": "linear in the weights",
    "natural": "a constant that does not look at the mixture",
    "bimix": "powers of the weights",
    "autoscale": "powers of the tokens of each domain",
    "gp": "a Gaussian process per task",
    "lightgbm": "boosted trees",
    "search": "which say of a mixture what its own run scored",
}


@dataclass(frozen=True)
class Laws:
    """The laws in force."""

    family: str
    """Regression family, as in `regression.family`; of `auto` the one that it chose."""
    granularity: Granularity = "task"
    """What each law is fitted to."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Cross-validated error of each family that `auto` chose from; 1 is what a constant achieves."""

    @property
    def name(self) -> str:
        """The family in words."""
        return self.family.replace("_", "-")

    @property
    def kind(self) -> str:
        """What laws of this family are; empty for one that is not known here."""
        return _KINDS.get(self.family, "")

    @property
    def log_linear(self) -> bool:
        """Whether the laws have a constant c, coefficients t and a penalty on these."""
        return self.family == "log_linear"


@dataclass(frozen=True)
class Uncertainty:
    """What laws of resampled scores say of the proposal; the interval of each weight is with its leaf."""

    resamples: int
    """Number of resampled laws."""
    level: float
    """Share of them that lies within the intervals."""
    gain: tuple[float, float]
    """Lowest and highest gain over the prior, in BPB; over the prior with the frozen ratios, if there are any."""
    regret: float
    """By how much, on average, the objective of the best mixture of a resampled law is below that of the proposal."""

    @property
    def interval(self) -> str:
        """Name of the intervals."""
        return f"{100 * self.level:.0f} % interval"


@dataclass(frozen=True)
class TaskNoise:
    """Signal and noise of one task of the suite, whether or not it counts. Standard deviations in BPB."""

    name: str
    family: str
    swarm_sd: float
    """Over the mixtures of the swarm; NaN without one."""
    seed_sd: float
    """Over seeds, around the mean of each mixture; NaN below two seeds."""
    ratio_at_prior: float = math.nan
    """Signal-to-noise by the seeds of the prior alone, which a least ratio is demanded of; NaN where none is."""
    use: Use = "kept"

    @property
    def ratio(self) -> float:
        """Signal over noise, swarm sd / seed sd; NaN where the seeds agree."""
        return self.swarm_sd / self.seed_sd if self.seed_sd else math.nan


@dataclass(frozen=True)
class Noise:
    """Noise of all tasks of the suite, and the least ratio that is demanded of them."""

    tasks: tuple[TaskNoise, ...] = ()
    least_ratio: float = 0.0
    """`regression.min_signal_to_noise`; 0 demands nothing."""

    def of(self, use: Use) -> list[TaskNoise]:
        """Tasks by what became of them."""
        return [task for task in self.tasks if task.use == use]

    def share(self, task: TaskNoise) -> float:
        """What is left of the weight of a task in the mean: 0 if dropped, (ratio / least ratio)² if down-weighted."""
        if task.use == "downweighted":
            return (task.ratio_at_prior / self.least_ratio) ** 2
        return float(task.use == "kept")
