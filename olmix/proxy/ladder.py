"""The model ladder: from the size of a model to its tokens, batch and learning rate."""

import math
from dataclasses import dataclass

from olmix.params import ProxyParams
from olmix.proxy.model import multiplied_parameters, resolve

CHINCHILLA = 20
"""Tokens per parameter that cost the least compute for their loss, about (Hoffmann et al. 2022, arXiv 2203.15556)."""

_SIZE = 108e6  # the model at which the rules of Porian et al. 2024 (arXiv 2406.19146) were fitted
_LEARNING_RATE = 0.0047
_BATCH_TOKENS = 160 * 2048


@dataclass(frozen=True)
class Budget:
    """What one run costs and how fast it learns, in numbers."""

    tokens: int
    """Tokens of the run: whole batches."""
    batch_size: int
    """Sequences of one optimiser step."""
    learning_rate: float
    """Peak learning rate."""

    @classmethod
    def of(cls, proxy: ProxyParams, vocabulary: int) -> "Budget":
        """The settings with numbers in place of `auto` and of multiples of Chinchilla's budget.

        Rules of Porian et al. for N parameters, input embeddings aside: learning rate 0.0047 (N / 108M)^(-1/3), batch
        160 x 2048 (N / 108M)^(2/3) tokens, here as the nearest power of two of sequences. For the 30M model of the
        paper they give its own settings (Table 6): 0.007 and 64 sequences of 2,048 tokens.
        """
        size = multiplied_parameters(resolve(proxy.model), vocabulary)
        learning_rate, batch_size = proxy.learning_rate, proxy.batch_size
        if learning_rate == "auto":
            learning_rate = _LEARNING_RATE * (size / _SIZE) ** (-1 / 3)
        if batch_size == "auto":
            sequences = _BATCH_TOKENS * (size / _SIZE) ** (2 / 3) / proxy.sequence_length
            batch_size = 2 ** max(0, round(math.log2(sequences)))
        tokens = proxy.tokens
        if isinstance(tokens, str):
            tokens = round(float(tokens.removesuffix("x")) * CHINCHILLA * size)
        batch = batch_size * proxy.sequence_length
        return cls(tokens // batch * batch, batch_size, learning_rate)
