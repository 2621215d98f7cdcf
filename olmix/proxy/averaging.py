"""Averaging of the last weights of a run."""

from collections.abc import Mapping

import torch
from torch import Tensor


class TailAverage:
    """Uniform mean of the weights after each of a run's last steps, kept as it goes.

    Tail averaging (Jain et al. 2016, arXiv 1610.03774), for neural networks known as stochastic weight averaging
    (Izmailov et al. 2018, arXiv 1803.05407) and latest weight averaging (Kaddour 2022, arXiv 2209.14981).
    """

    def __init__(self, weights: Mapping[str, Tensor], share: float, steps: int) -> None:
        """share: of the `steps` of the run, at least one step."""
        self._weights, self._first = weights, steps - max(1, round(share * steps))
        self.averages = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        """Mean per parameter over the steps of the tail so far; zero before it."""

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Count in the weights after a step, the first of which is 1. Nothing waits for a GPU."""
        if (count := step - self._first) > 0:
            torch._foreach_lerp_(list(self.averages.values()), list(self._weights.values()), 1 / count)

    @torch.no_grad()
    def replace_weights(self) -> None:
        """Put the averages in the place of the weights."""
        torch._foreach_copy_(list(self._weights.values()), list(self.averages.values()))
