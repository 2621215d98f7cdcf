"""The noise between seeds, from runs that repeat mixtures: how large it is, and what a common seed takes out of it."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from olmix.report import format as show
from olmix.report.gain import CONFIDENCE, Array

_SIGNIFICANT = 0.05


@dataclass(frozen=True, eq=False)
class Repeats:
    """Scores of M mixtures with the same S seeds each, in BPB."""

    mixtures: tuple[str, ...]
    seeds: tuple[int, ...]
    tasks: tuple[str, ...]
    scores: Array
    """(M, S, n) score of each task."""
    weights: Array
    """(n,) share of each task in the mean."""
    swarm_sd: float
    """Standard deviation of the mean over the mixtures of the swarm: the signal."""

    @property
    def mean(self) -> Array:
        """(M, S) weighted mean of the tasks."""
        return self.scores @ self.weights

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the pooled noise."""
        return len(self.mixtures) * (len(self.seeds) - 1)

    @property
    def sds(self) -> Array:
        """(M,) standard deviation over the seeds of each mixture."""
        sds: Array = self.mean.std(axis=1, ddof=1)
        return sds

    @property
    def sd(self) -> float:
        """Standard deviation over seeds, pooled over the mixtures."""
        return _root_mean_square(self.sds)

    @property
    def task_sds(self) -> Array:
        """(n,) the same for every task."""
        variances: Array = self.scores.var(axis=1, ddof=1).mean(axis=0)
        return np.sqrt(variances)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of `sd`, for noise that is normal and as large at every mixture."""
        least, most = (float(stats.chi2.ppf((1 + side * CONFIDENCE) / 2, self.degrees)) for side in (-1, 1))
        return self.sd * math.sqrt(self.degrees / most), self.sd * math.sqrt(self.degrees / least)

    @property
    def ratio(self) -> float:
        """Signal over noise; NaN where the seeds agree."""
        return self.swarm_sd / self.sd if self.sd else math.nan

    @property
    def same_seed_sd(self) -> float:
        """Standard deviation of the difference of two mixtures trained with the same seed; NaN for one mixture.

        What is left once each seed's own level, common to all mixtures, is taken out (two-way analysis of variance).
        """
        if len(self.mixtures) < 2:
            return math.nan
        centred = self.mean - self.mean.mean(axis=1, keepdims=True)
        left = centred - centred.mean(axis=0)
        degrees = (len(self.mixtures) - 1) * (len(self.seeds) - 1)
        return math.sqrt(2 * float((left**2).sum()) / degrees)

    @property
    def other_seed_sd(self) -> float:
        """Standard deviation of the difference of two mixtures trained with different seeds."""
        return math.sqrt(2) * self.sd

    @property
    def dependence(self) -> float:
        """p-value of equal noise at all mixtures (Levene's test around the mean); NaN for one mixture or no noise."""
        if len(self.mixtures) < 2 or not self.sd:
            return math.nan
        return float(stats.levene(*self.mean, center="mean").pvalue)

    @property
    def sentences(self) -> list[str]:
        """What was found, in words."""
        low, high = self.interval
        what = f"{show.counted(len(self.mixtures), 'mixture')} with {len(self.seeds)} seeds each"
        found = [
            f"The mean BPB of one run has a standard deviation of {self.sd:.4f} [{low:.4f}, {high:.4f}] over seeds "
            f"({what})."
        ]
        if math.isfinite(self.ratio) and math.isfinite(self.swarm_sd):
            found.append(
                f"The mixtures of the swarm spread by {self.swarm_sd:.4f}: signal / noise is {self.ratio:.1f} "
                f"[{self.swarm_sd / high:.1f}, {self.swarm_sd / low:.1f}]."
            )
        if math.isfinite(self.dependence):
            least, most = int(self.sds.argmin()), int(self.sds.argmax())
            span = (
                f"from {self.sds[least]:.4f} ({self.mixtures[least]}) to {self.sds[most]:.4f} ({self.mixtures[most]})"
            )
            verdict = "It depends on" if self.dependence < _SIGNIFICANT else "It is not seen to depend on"
            found.append(f"{verdict} the mixture: {span}, p = {self.dependence:.2g} for equal noise.")
        if math.isfinite(self.same_seed_sd) and self.same_seed_sd > 0:
            worth = (self.other_seed_sd / self.same_seed_sd) ** 2
            found.append(
                f"Two mixtures differ by {self.same_seed_sd:.4f} of noise when they share the seed, and by "
                f"{self.other_seed_sd:.4f} when they do not: the common seed is worth {worth:.1f} times as many runs."
            )
        return found


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
