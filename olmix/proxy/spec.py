"""Everything that determines a proxy run, and the key made of it."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from olmix.digest import digest
from olmix.params import ModelParams, ProxyParams
from olmix.proxy.ladder import Budget
from olmix.proxy.model import resolve
from olmix.schema import Record

RECIPE = 2
"""Version of the built-in trainer: raise it when the same specification would train another model."""

COMMAND_RECIPE = 1
"""Version of what a command is handed: raise it when the same command would train another model from it."""

KIND = "proxy"


class Training(Record):
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
    average_weights: float | None = None
    """None is no averaging, and no part of the key."""

    @classmethod
    def of(cls, proxy: ProxyParams, vocabulary: int) -> "Training":
        """As the settings say, with numbers in place of `auto`."""
        budget = Budget.of(proxy, vocabulary)
        settings = {name: getattr(proxy, name) for name in cls.model_fields}
        settings |= {"batch_size": budget.batch_size, "learning_rate": budget.learning_rate}
        return cls(**settings | {"average_weights": proxy.average_weights or None})


class Trainer(Record):
    """A command of the user's in place of the built-in trainer."""

    command: str
    version: int
    writes: Literal["checkpoint", "scores"]
    suite: str | None
    """Content digest of the suite that the command scores on; None for a checkpoint, which no suite determines."""


@dataclass(frozen=True)
class Execution:
    """How a run is executed: no part of what it is, nor of its key."""

    threads: int = 1
    """CPU threads; other sums of products in another number of threads differ in their last bits."""
    compile: bool = False
    """Whether the model is compiled."""
    checkpoint_seconds: float = 60.0
    """Time between two checkpoints."""

    @classmethod
    def of(cls, proxy: ProxyParams, threads: int) -> "Execution":
        """As the settings say."""
        return cls(threads, proxy.compile, proxy.checkpoint_seconds)


class RunSpec(Record):
    """One proxy run. Leaves appear only as keys of their tokens with integer counts: names play no part."""

    model: ModelParams
    training: Training
    vocabulary: int = Field(gt=0)
    seed: int
    counts: dict[str, int]
    """Tokens to train on per tokens key, multiples of the sequence length; leaves with zero are left out."""
    trainer: Trainer | None = None
    """None is the built-in trainer."""

    @classmethod
    def of(cls, proxy: ProxyParams, vocabulary: int, seed: int, counts: dict[str, int], suite: str = "") -> "RunSpec":
        """The run that these settings ask for; suite: content digest, for a command that also scores."""
        trainer = None
        if proxy.command is not None:
            trainer = Trainer(
                command=proxy.command,
                version=proxy.command_version,
                writes=proxy.command_writes,
                suite=suite if proxy.command_writes == "scores" else None,
            )
        return cls(
            model=resolve(proxy.model),
            training=Training.of(proxy, vocabulary),
            vocabulary=vocabulary,
            seed=seed,
            counts={leaf: n for leaf, n in counts.items() if n},
            trainer=trainer,
        )

    def ingredients(self) -> dict[str, Any]:
        """What the key is made of; what is None is no part of the run."""
        recipe = COMMAND_RECIPE if self.trainer else RECIPE
        return self.model_dump(mode="json", exclude_none=True) | {"recipe": recipe}

    @property
    def key(self) -> str:
        """Key of the run."""
        return digest(self.ingredients())

    @property
    def is_scored_by_command(self) -> bool:
        """Whether the run's artefact holds scores instead of a checkpoint."""
        return self.trainer is not None and self.trainer.writes == "scores"
