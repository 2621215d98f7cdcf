"""Prior against proposal: the gain that is predicted, the gain that is measured, and the verdict."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # Student quantiles without the second that scipy.stats takes to load

from olmix.report import format as show

Array = NDArray[np.float64]
Status = Literal["better", "worse", "indistinguishable", "unproven"]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gain:
    """Prior against proposal, in BPB: what the laws predict and what seeds measured, paired by position."""

    prior_predicted: float
    proposal_predicted: float
    prior_measured: tuple[float, ...] = ()
    proposal_measured: tuple[float, ...] = ()
    predicted_interval: tuple[float, float] = (math.nan, math.nan)
    """Lowest and highest gain in BPB that resampled laws predict; NaN where it is not known."""

    def __post_init__(self) -> None:
        if len(self.prior_measured) != len(self.proposal_measured):
            raise ValueError(
                f"seeds are paired: {len(self.prior_measured)} measurements of the prior, "
                f"{len(self.proposal_measured)} of the proposal"
            )

    @property
    def seeds(self) -> int:
        """Number of paired seeds."""
        return len(self.prior_measured)

    @property
    def predicted(self) -> float:
        """Predicted gain in percent of the prior's BPB; positive is better; NaN without a prediction."""
        return 100 * (self.prior_predicted - self.proposal_predicted) / self.prior_predicted

    @property
    def predicted_low(self) -> float:
        """Low end of the predicted gain in percent of the prior's predicted BPB; NaN where it is not known."""
        return 100 * self.predicted_interval[0] / self.prior_predicted

    @property
    def predicted_high(self) -> float:
        """High end of the predicted gain in percent of the prior's predicted BPB; NaN where it is not known."""
        return 100 * self.predicted_interval[1] / self.prior_predicted

    @property
    def prediction(self) -> Status:
        """Better or worse only if the interval of the predicted gain leaves out zero; unproven without an interval."""
        if not (math.isfinite(self.predicted_low) and math.isfinite(self.predicted_high)):
            return "unproven"
        return "better" if self.predicted_low > 0 else "worse" if self.predicted_high < 0 else "indistinguishable"

    @property
    def measured(self) -> float:
        """Measured gain in percent of the prior's mean BPB; NaN without seeds."""
        return float(np.mean(self._per_seed)) if self.seeds else math.nan

    @property
    def standard_error(self) -> float:
        """Standard error of the measured gain in percent, over paired seeds; NaN below two seeds."""
        return float(np.std(self._per_seed, ddof=1)) / math.sqrt(self.seeds) if self.seeds > 1 else math.nan

    @property
    def standard_errors(self) -> float:
        """Distance of the measured gain from zero in standard errors, without sign; NaN below two seeds."""
        if self.standard_error == 0:
            return math.inf if self.measured else 0.0
        return abs(self.measured) / self.standard_error

    @property
    def status(self) -> Status:
        """Better or worse only if the 95 % Student interval of the paired difference leaves out zero."""
        if not math.isfinite(self.measured) or self.seeds < 2:
            return "unproven"
        if not self.standard_errors > stdtrit(self.seeds - 1, (1 + CONFIDENCE) / 2):
            return "indistinguishable"
        return "better" if self.measured > 0 else "worse"

    @property
    def verdict(self) -> str:
        """The result as one sentence, whatever its sign."""
        if self.seeds == 0:
            if not math.isfinite(self.predicted):
                if math.isfinite(self.proposal_predicted):
                    return "gain is not known: the prior was neither predicted nor measured"
                return "proposal was neither predicted nor measured"
            if self.prediction == "indistinguishable":
                found = f"not distinguishable from the prior by prediction: {self._predicted_direction}"
            else:
                found = f"predicted to be {self._predicted_direction}"
            return f"proposal is {found}; not measured, validation is off"
        if not math.isfinite(self.measured):
            return "proposal cannot be judged: a score of the seeds is missing"
        if self.seeds == 1:
            return f"proposal is {_direction(self.measured)} in one seed, which cannot tell a gain from noise"
        away = (
            "no spread between them"
            if math.isinf(self.standard_errors)
            else f"{self.standard_errors:.1f} standard errors"
        )
        evidence = f"± {self.standard_error:.1f} % ({self.seeds} seeds, {away})"
        if self.status == "indistinguishable":
            return f"proposal is not distinguishable from the prior: {_direction(self.measured)} {evidence}"
        return f"proposal is {_direction(self.measured)} {evidence}"

    @property
    def interval(self) -> str:
        """The interval of the predicted gain in percent, without its unit; empty where it is not known."""
        return "" if self.prediction == "unproven" else show.interval(self.predicted_low, self.predicted_high)

    @property
    def _predicted_direction(self) -> str:
        """The prediction with its interval, whose sign is that of the word: worse by 2 % [1, 3]."""
        low, high = self.predicted_low, self.predicted_high
        interval = self.interval and f" {self.interval if self.predicted >= 0 else show.interval(-high, -low)}"
        return f"{_direction(self.predicted)}{interval}"

    @property
    def _per_seed(self) -> Array:
        prior, proposal = np.array(self.prior_measured), np.array(self.proposal_measured)
        return 100 * (prior - proposal) / prior.mean()


def _direction(gain: float) -> str:
    return f"{'better' if gain >= 0 else 'worse'} by {abs(gain):.1f} %"
