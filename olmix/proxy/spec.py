"""Everything that determines a proxy run, and the key made of it."""

from typing import Any

from pydantic import Field

from olmix.digest import digest
from olmix.params import ModelParams, ProxyParams
from olmix.proxy.model import resolve
from olmix.schema import Section

RECIPE = 1
"""Version of the trainer: raise it when the same specification would train another model."""

KIND = "proxy"


class Training(Section):
    """Training configuration of a run: the part of `proxy` in params.yaml that the trainer reads."""

    sequence_length: int
    batch_size: int
    learning_rate: float
    embedding_learning_rate: float
    warmup: float
    final_learning_rate: float
    weight_decay: float
    betas: tuple[float, float]
    clip: float


class RunSpec(Section):
    """One proxy run. Leaves appear only as keys of their tokens with integer counts: names play no part."""

    model: ModelParams
    training: Training
    vocabulary: int = Field(gt=0)
    seed: int
    counts: dict[str, int]
    """Tokens to train on per tokens key, multiples of the sequence length; leaves with zero are left out."""

    @classmethod
    def of(cls, proxy: ProxyParams, vocabulary: int, seed: int, counts: dict[str, int]) -> "RunSpec":
        """The run that these settings ask for."""
        training = Training(**{name: getattr(proxy, name) for name in Training.model_fields})
        nonzero = {leaf: n for leaf, n in counts.items() if n}
        return cls(model=resolve(proxy.model), training=training, vocabulary=vocabulary, seed=seed, counts=nonzero)

    def ingredients(self) -> dict[str, Any]:
        """What the key is made of."""
        return self.model_dump(mode="json") | {"recipe": RECIPE}

    @property
    def key(self) -> str:
        """Key of the run."""
        return digest(self.ingredients())
