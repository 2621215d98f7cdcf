"""Typed `params.yaml`: the only place for experiment settings. The docstring under a field is its documentation."""

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from olmix.schema import Section, TokenBudget, TokenCount, read_yaml


class TokenizerParams(Section):
    """The tokenizer, frozen: no domain or evaluation item can change it."""

    path: str = "tokenizer"
    """Folder with `tokenizer.json`, or the name of a tokenizer on the Hugging Face hub."""
    digest: str
    """Digest of the tokenizer; a mismatch is an error that prints the digest found."""


class EvaluationParams(Section):
    """What proxies are evaluated on."""

    suite: str = "suites/default.yaml"
    """Suite file: families, weights and task items."""


class PriorParams(Section):
    """Natural mixture by default: tokens of a leaf / all tokens."""

    temperature: float = Field(1.0, gt=0)
    """Exponent on the natural shares before renormalising; below 1 flattens, above 1 sharpens."""
    manual: dict[str, float] = {}
    """Weights of sources, overriding their natural share; the others share the rest in their natural ratios."""


class ModelParams(Section):
    """A decoder-only transformer of the transformers library, built from its configuration."""

    family: Literal["olmo2", "llama"] = "olmo2"
    """Architecture."""
    layers: int = Field(ge=1)
    """Number of decoder blocks."""
    heads: int = Field(ge=1)
    """Number of attention heads."""
    width: int = Field(ge=1)
    """Model dimension."""
    mlp_width: int = Field(ge=1)
    """Hidden dimension of the gated MLP."""
    tied_embeddings: bool = False
    """Share input and output embeddings."""
    embedding_std: float = Field(0.02, gt=0)
    """Standard deviation of the initial input embeddings; near 1, small models learn much faster."""

    @model_validator(mode="after")
    def _divisible(self) -> "ModelParams":
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} over {self.heads} heads must give an even head dimension")
        return self


Preset = Literal["tiny", "1M", "15M", "30M", "60M"]


class TargetRunParams(Section):
    """The model that `snakemake target` trains on the prior, the proposal and other mixtures, to check the proposal at
    size (docs/proxies.md). What is not given is as in `proxy`. Enters no key of the plan."""

    model: Preset | ModelParams
    """Preset or a model of your own; to be of use, larger than the proxy."""
    tokens: TokenBudget
    """Tokens of one run, as `proxy.tokens`."""
    sequence_length: int | None = Field(None, ge=2)
    """Tokens of one training sequence."""
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1)] | None = None
    """Sequences of one optimiser step."""
    learning_rate: Literal["auto"] | Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate."""
    seeds: int = Field(3, ge=1)
    """Seeds trained for each mixture."""
    mixtures: list[str] = []
    """Files of other mixtures to train on, with `weights` per leaf, such as those in `mixtures/`; leaves that a file
    does not name have none. Each is called by the name of its file, and `prior` and `proposal` are taken."""

    @field_validator("mixtures")
    @classmethod
    def _have_names_of_their_own(cls, mixtures: list[str]) -> list[str]:
        names = [Path(file).stem for file in mixtures]
        for name in ("prior", "proposal", *names):
            if [*names, "prior", "proposal"].count(name) > 1:
                raise ValueError(f"two mixtures would be called {name!r}; rename a file")
        return mixtures


class TargetParams(Section):
    """The training run that the mixture is for; it sets the repetition caps p <= k N / R."""

    tokens: TokenCount = Field(gt=0)
    """R, the tokens the target model is trained on."""
    repetition: float = Field(4.0, gt=0)
    """k, how often a document may be repeated."""
    run: TargetRunParams | None = None
    """What `snakemake target` trains."""


class LevelParams(Section):
    """Dirichlet sampling of one level, sources or topics within a source (method section 4)."""

    min_strength: float = Field(gt=0)
    """Smallest concentration; small values give mixtures of few domains."""
    max_strength: float = Field(gt=0)
    """Largest concentration; large values stay close to the prior."""
    minimum_weight: float = Field(ge=0, lt=1)
    """Smaller weights become zero (the rest is renormalised)."""

    @model_validator(mode="after")
    def _ordered(self) -> "LevelParams":
        if self.min_strength > self.max_strength:
            raise ValueError(f"min_strength {self.min_strength} is above max_strength {self.max_strength}")
        return self


class SwarmParams(Section):
    """The mixtures that proxies are trained on."""

    seed: int = Field(42, ge=0)
    """Seed of the sampler."""
    runs_per_parameter: float = Field(3.0, ge=1)
    """c in K = c (m + 1) runs, with m leaves (Olmix section 3.2)."""
    sources: LevelParams = LevelParams(min_strength=0.5, max_strength=20.0, minimum_weight=0.002)
    """Sampling of sources: dense."""
    topics: LevelParams = LevelParams(min_strength=0.1, max_strength=5.0, minimum_weight=0.05)
    """Sampling of topics within a source: sparse."""
    strengths: int = Field(15, ge=1)
    """Number of log-spaced strengths between the smallest and the largest."""
    temperature: float = Field(1.0, gt=0)
    """Exponent on the prior that the Dirichlet is centred on."""
    candidates: int = Field(10, ge=1)
    """Candidates drawn at once for a run, which takes the first that is allowed and new; 1 is fast if most are."""
    required: list[str] = []
    """Leaves or sources that every run must contain."""
    max_repetition: float = Field(1.0, gt=0)
    """How often a proxy run may read a document; 1 forbids repetition at proxy scale."""
    rounds: int = Field(1, ge=1)
    """Rounds that the swarm is grown in: after each, the runs that would tell most about the proposal come next."""
    enough: float = Field(0.02, ge=0)
    """Growing stops before K runs once the expected regret of the proposal is below this share of its gain."""
    min_runs_per_leaf: int = Field(3, ge=1)
    """Every leaf must be non-zero in at least this many runs, or planning stops with an error."""
    max_failed: float = Field(0.1, ge=0, lt=1)
    """Share of the swarm's runs that may fail: the laws then do without them until they are tried again. Enters no
    key."""
    runs_per_job: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """Runs that one job trains in turn, each an artefact of its own; `auto` is as many as fill about a minute of one
    core, 1 for longer runs and for a trainer of your own. Enters no key."""


class ProxyParams(Section):
    """The small language model and its training, the same for every run of the swarm."""

    model: Preset | ModelParams = "tiny"
    """Preset (sizes of the paper, Table 6, and `tiny` for laptops) or a model of your own."""
    tokens: TokenBudget
    """Token budget of one run, rounded down to whole batches; `5x` is five times Chinchilla's 20 tokens per parameter,
    as in the paper (docs/proxies.md)."""
    sequence_length: int = Field(128, ge=2)
    """Tokens of one training sequence."""
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """Sequences of one optimiser step; `auto` follows the size of the model (docs/proxies.md)."""
    learning_rate: Literal["auto"] | Annotated[float, Field(gt=0)] = "auto"
    """Peak learning rate of AdamW; `auto` follows the size of the model (docs/proxies.md)."""
    embedding_learning_rate: float = Field(1.0, gt=0)
    """Learning rate of the input embeddings as a multiple of `learning_rate`; short runs need about 10."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps with linear warm-up."""
    final_learning_rate: float = Field(0.0, ge=0, le=1)
    """Learning rate at the end of the cosine, as a share of the peak."""
    average_weights: float = Field(0.0, ge=0, lt=1)
    """Share of the steps, the last ones, whose weights are averaged into the finished model; 0 takes those of the last
    step (docs/proxies.md)."""
    weight_decay: float = Field(0.1, ge=0)
    """AdamW weight decay on matrices."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW betas."""
    clip: float = Field(1.0, gt=0)
    """Gradient norm clipping."""
    seed: int = Field(0, ge=0)
    """Seed of initialisation and data order, shared by the whole swarm (common random numbers)."""
    compile: bool = False
    """Compile the model by `torch.compile`, which needs a C++ compiler and most of a minute per job. Enters no key."""
    checkpoint_seconds: float = Field(60.0, ge=0)
    """Time between two checkpoints of a run, from which it goes on after an interruption. Enters no key."""
    command: str | None = None
    """A trainer of your own in place of the built-in one; gets the path of a run specification (docs/trainer.md)."""
    command_version: int = Field(1, ge=1)
    """Raise it when the command would train another model from the same specification: all runs are then made again."""
    command_writes: Literal["checkpoint", "scores"] = "checkpoint"
    """What the command leaves in its output folder: a transformers checkpoint, which is then scored, or scores."""

    @field_validator("command")
    @classmethod
    def _is_a_command(cls, command: str | None) -> str | None:
        if command is not None and not shlex.split(command):
            raise ValueError("an empty command; leave it out for the built-in trainer")
        return command


class RegressionParams(Section):
    """The laws from mixture to score (paper, section 3.3.3)."""

    family: Literal[
        "log_linear", "kernel", "blend", "auto", "ridge", "lightgbm", "gp", "bimix", "autoscale", "natural", "search"
    ] = "log_linear"
    """Regression family: the paper's `log_linear`, c + exp(t'p); `kernel`, one Gaussian process on log weights for all
    tasks; `blend`, the mean of the two; `auto`, the best of these three by cross-validation; or a baseline
    (docs/laws.md). Families that are not convex are solved from many starts."""
    granularity: Literal["task", "family", "aggregate"] = "task"
    """One law per task, per family of tasks, or one in all (paper, Table 3)."""
    penalty: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"
    """Penalty of log-linear laws, and of ridge, bimix and autoscale in their own scales; `auto` chooses it per task by
    cross-validation over the runs."""
    huber_delta: float = Field(0.02, gt=0)
    """Threshold of the Huber loss of log-linear laws, in bits per byte."""
    min_signal_to_noise: float = Field(0.0, ge=0)
    """Least ratio of a task's standard deviation over the swarm to that over seeds of the prior; 0 asks nothing."""
    weak_tasks: Literal["drop", "downweight"] = "drop"
    """Whether tasks below that ratio leave the objective, or lose weight by the square of the ratio."""


class SolverParams(Section):
    """min mean law + kl * KL(p || prior), p on the simplex and under the caps."""

    kl: float = Field(0.05, ge=0)
    """Weight of the KL penalty to the prior."""
    kl_space: Literal["collapsed", "expanded"] = "collapsed"
    """Under mixture reuse, whether the KL term counts a virtual domain as one (as the paper's released code) or leaf by
    leaf."""
    method: Literal["auto", "exact", "gradient", "simulation", "search"] = "auto"
    """Solver; `auto` is `exact` for convex laws, `gradient` (many starts) for other smooth ones, else `simulation`."""
    bounds: dict[str, tuple[float, float]] = {}
    """Least and largest weight per leaf, beside the repetition caps."""
    resamples: int = Field(100, ge=0)
    """Laws refitted to resampled scores, for intervals on the weights and the predicted gain; 0 switches them off.
    Families other than log_linear, kernel and blend have none."""

    @field_validator("bounds")
    @classmethod
    def _are_bounds(cls, bounds: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in bounds.items():
            if not 0 <= low <= high <= 1:
                raise ValueError(f"{name}: [{low}, {high}]; allowed: 0 <= least <= largest <= 1")
        return bounds


class ReuseParams(Section):
    """Mixture reuse: what is recomputed when the domain set differs from the last accepted one (paper, section 4)."""

    strategy: Literal["full", "partial", "swarm", "none"] = "full"
    """`full` freezes the ratios of all unaffected leaves, `partial` of those not named in `recompute`, `swarm` freezes
    nothing but counts earlier runs, `none` recomputes everything."""
    recompute: list[str] = []
    """Unaffected leaves or sources that `partial` recomputes too."""
    virtual: Literal["one", "source"] = "one"
    """Whether `partial` freezes all unaffected leaves in one virtual domain or the leaves of each source in its own."""
    prior: dict[str, float] = {}
    """Prior weights of virtual domains, in place of the sums of their leaves' priors; the rest shares what is left."""
    evidence: bool = True
    """Fit the laws also on runs of accepted generations that are mixtures of today's coordinates."""

    @model_validator(mode="after")
    def _only_partial(self) -> "ReuseParams":
        if self.strategy != "partial" and (self.recompute or self.virtual != "one"):
            raise ValueError(f"strategy {self.strategy} takes no `recompute` and no `virtual`; they belong to partial")
        if self.strategy == "partial" and not self.recompute and self.virtual == "one":
            raise ValueError("strategy partial needs `recompute` or `virtual: source`; without them it is full")
        if self.strategy == "swarm" and not self.evidence:
            raise ValueError("strategy swarm counts earlier runs, which evidence: false excludes; set strategy none")
        if bad := [name for name, weight in self.prior.items() if not 0 < weight < 1]:
            raise ValueError(f"prior.{bad[0]} is {self.prior[bad[0]]}; allowed: above 0 and below 1")
        return self


class ValidationParams(Section):
    """Proof of the proposal: the prior and the proposal are trained at proxy size and compared."""

    seeds: int = Field(3, ge=0)
    """Seeds trained for each of the two mixtures; 0 switches the proof off."""


class NoiseParams(Section):
    """What `snakemake noise` repeats with other seeds (docs/proxies.md). Enters no key of the plan."""

    mixtures: int = Field(4, ge=0)
    """Mixtures of the swarm that are repeated beside the prior: those that differ most."""
    seeds: int = Field(3, ge=2)
    """Seeds of each mixture; the first is that of the swarm."""


class StudyParams(Section):
    """What `snakemake study` compares by the runs at hand (docs/study.md)."""

    families: list[str] = Field(["log_linear", "kernel", "blend", "ridge", "natural"], min_length=1)
    """Regression families: any but `auto` and `search`."""
    repeats: int = Field(5, ge=2)
    """Parts that the runs are split into; each is held out once, and predicted by laws of growing numbers of others."""
    kl: list[Annotated[float, Field(ge=0)]] = [0, 0.01, 0.02, 0.05, 0.1, 0.2]
    """Weights of the KL penalty that mixtures are solved with, beside that of `solver`."""
    repetition: list[Annotated[float, Field(gt=0)]] = [2, 3, 4, 5]
    """Repetition limits k that mixtures are solved with, beside that of `target` and none."""


class Params(Section):
    """All settings of an experiment."""

    domains: str = "domains"
    """Folder of the domain set."""
    tokenizer: TokenizerParams
    evaluation: EvaluationParams = EvaluationParams()
    prior: PriorParams = PriorParams()
    target: TargetParams
    swarm: SwarmParams = SwarmParams()
    proxy: ProxyParams
    regression: RegressionParams = RegressionParams()
    solver: SolverParams = SolverParams()
    validation: ValidationParams = ValidationParams()
    reuse: ReuseParams = ReuseParams()
    noise: NoiseParams = NoiseParams()
    study: StudyParams = StudyParams()

    @model_validator(mode="after")
    def _sections_agree(self) -> "Params":
        if self.swarm.rounds > 1 and self.regression.family not in ("log_linear", "kernel", "blend", "auto"):
            raise ValueError(
                f"swarm.rounds {self.swarm.rounds} needs laws that say how sure they are; regression.family is "
                f"{self.regression.family}; log_linear, kernel, blend or auto is needed"
            )
        if self.regression.min_signal_to_noise and self.validation.seeds < 2:
            raise ValueError(
                f"regression.min_signal_to_noise needs the noise between seeds: validation.seeds is "
                f"{self.validation.seeds}, at least 2 is needed"
            )
        return self


NOT_KEYED: Any = {
    "swarm": {"runs_per_job", "max_failed"},
    "proxy": {"compile", "checkpoint_seconds"},
    "target": {"run"},
    "noise": True,
    "study": True,
}
"""Fields that say how the work is done, or what is made only when asked for by name: they enter no key of a plan."""


def read_params(path: Path) -> Params:
    """Read and validate `params.yaml`. Raises InputError naming the field."""
    return read_yaml(path, Params)
