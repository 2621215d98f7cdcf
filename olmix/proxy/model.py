"""Sizes of proxy models, and what a token costs; the models themselves are in `decoder`."""

from olmix.params import ModelParams

# Sizes of the paper (Table 6): the head dimension and MLP width follow OLMo-core (8/3 of the width, rounded up to 256).
PRESETS = {
    "tiny": ModelParams(layers=1, heads=4, width=96, mlp_width=288, embedding_std=1.0),
    "1M": ModelParams(layers=4, heads=4, width=16, mlp_width=256),
    "15M": ModelParams(layers=8, heads=4, width=128, mlp_width=512),
    "30M": ModelParams(layers=4, heads=8, width=256, mlp_width=768),
    "60M": ModelParams(layers=12, heads=12, width=384, mlp_width=1024),
}


def resolve(model: str | ModelParams) -> ModelParams:
    """The model behind a preset name, or the model itself."""
    return PRESETS[model] if isinstance(model, str) else model


def flops_per_token(params: ModelParams, vocabulary: int, sequence_length: int) -> int:
    """Training FLOPs of one token: 6 per matrix parameter, plus causal attention; the embedding look-up is free."""
    block = 4 * params.width**2 + 3 * params.width * params.mlp_width
    matrices = params.layers * block + vocabulary * params.width
    attention = params.layers * sequence_length * params.width  # half of the scores are masked
    return 6 * (matrices + attention)


def parameter_count(params: ModelParams, vocabulary: int) -> int:
    """Trainable parameters, embeddings included."""
    norms = 4 if params.family == "olmo2" else 2
    block = 4 * params.width**2 + 3 * params.width * params.mlp_width + norms * params.width
    embeddings = vocabulary * params.width * (1 if params.tied_embeddings else 2)
    return embeddings + params.layers * block + params.width


def multiplied_parameters(params: ModelParams, vocabulary: int) -> int:
    """Parameters without the input embeddings, which are looked up only; the paper counts its models by these."""
    looked_up = 0 if params.tied_embeddings else vocabulary * params.width
    return parameter_count(params, vocabulary) - looked_up


def training_memory(params: ModelParams, vocabulary: int, batch_tokens: int, averages: bool = False) -> int:
    """Bytes that training takes on a CPU, about: weights, gradients and moments, logits, activations, libraries.

    averages: whether the mean of the last weights is kept too.
    """
    logits = 2 * max(256 * vocabulary, 1 << 21)
    activations = batch_tokens * params.layers * (20 * params.width + 4 * params.mlp_width)
    copies = 5 if averages else 4
    return 4 * (copies * parameter_count(params, vocabulary) + logits + activations) + 500 * 10**6
