"""AdamW on torch's fused kernel.

`torch.optim` imports torch's compiler when an optimiser is built, as long as training for two seconds; the moments are
also plain tensors here, as checkpoints need them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """Parameters by name that share their settings."""

    parameters: Mapping[str, Tensor]
    weight_decay: float
    multiple: float = 1.0
    """Learning rate as a multiple of that of the step."""


class AdamW:
    """AdamW (Loshchilov & Hutter, 2019) with clipping of the gradient's norm."""

    def __init__(self, groups: Sequence[Group], betas: tuple[float, float], clip: float, epsilon: float = 1e-8) -> None:
        self._groups, self._betas, self._clip, self._epsilon = groups, betas, clip, epsilon
        self._parameters = {name: weight for group in groups for name, weight in group.parameters.items()}
        self.means = {name: torch.zeros_like(weight) for name, weight in self._parameters.items()}
        self.squares = {name: torch.zeros_like(weight) for name, weight in self._parameters.items()}
        self.step_count = 0

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update all parameters by their gradients, which are then gone. Nothing waits for a GPU."""
        gradients = {name: weight.grad for name, weight in self._parameters.items() if weight.grad is not None}
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients.values()))))
        excess = (norm / self._clip).clamp(min=1.0)  # gradients are divided by it
        self.step_count += 1
        for group in self._groups:
            names = list(group.parameters)
            weights = [group.parameters[name] for name in names]
            count = torch.tensor(float(self.step_count), device=weights[0].device)
            torch._fused_adamw_(
                weights,
                [gradients[name] for name in names],
                [self.means[name] for name in names],
                [self.squares[name] for name in names],
                [],
                [count] * len(names),
                lr=learning_rate * group.multiple,
                beta1=self._betas[0],
                beta2=self._betas[1],
                weight_decay=group.weight_decay,
                eps=self._epsilon,
                amsgrad=False,
                maximize=False,
                grad_scale=excess,
            )
        for weight in self._parameters.values():
            weight.grad = None
