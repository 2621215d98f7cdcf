"""Next-token cross-entropy that never holds the logits of all tokens, nor a second copy of any."""

from typing import Any

import torch
from torch import Tensor

from olmix.proxy.model import FEWEST_ROWS, LOGITS_AT_ONCE


def next_token_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats of targets (N,) under logits hidden (N, d) · weight (V, d)ᵀ.

    Gradients are computed with the loss, chunk by chunk of tokens. Under autocast the products are in its precision,
    the softmax is in float32.
    """
    loss: Tensor = _LinearCrossEntropy.apply(hidden, weight, targets)
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    """One function for projection and loss, so that the gradient of the logits can overwrite them."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        kind = hidden.device.type
        precision = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        with torch.autocast(kind, enabled=False):
            states, matrix = hidden.to(precision), weight.to(precision)
            of_states, of_matrix = torch.empty_like(states), torch.zeros_like(weight)
            total = hidden.new_zeros((), dtype=torch.float32)
            tokens = len(targets)
            rows = max(FEWEST_ROWS, LOGITS_AT_ONCE[kind] // len(weight))
            for first in range(0, tokens, rows):
                part = slice(first, first + rows)
                goal = targets[part, None]
                logits = (states[part] @ matrix.T).float()
                highest, at_goal = logits.amax(1), logits.gather(1, goal)[:, 0]
                slope = torch.softmax(logits, 1)
                # log sum exp = highest - log(its probability), which is at least 1 / V
                total += (highest - slope.amax(1).log() - at_goal).sum()
                slope.scatter_add_(1, goal, slope.new_full(goal.shape, -1.0))
                slope = slope.to(precision)
                torch.mm(slope, matrix, out=of_states[part])
                if precision == weight.dtype:
                    of_matrix.addmm_(slope.T, states[part])
                else:
                    of_matrix += slope.T @ states[part]
        ctx.save_for_backward(of_states.to(hidden.dtype), of_matrix)
        ctx.tokens = tokens
        return total / tokens

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        of_states, of_matrix = ctx.saved_tensors
        scale = outer[0] / ctx.tokens
        return of_states * scale, of_matrix * scale, None
