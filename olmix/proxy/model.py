"""Sizes of proxy models, and what a token costs; the models themselves are in `decoder`."""

from olmix.params import ModelParams

LOGITS_AT_ONCE = {"cpu": 1 << 21, "cuda": 1 << 28}
"""On a CPU about 8 MB, which stay in the cache of a core between the passes over them."""
FEWEST_ROWS = 256
"""Each chunk of tokens also passes over the gradient of the whole matrix."""

_LIBRARIES = 500 * 10**6
"""Bytes that torch takes before it holds any tensor: its code on a CPU, a CUDA context on a GPU."""
_KEPT = {"cpu": 1.0, "cuda": 2 / 3}
"""Activations that autograd keeps, as a share of those in float32: on a GPU those of matrix products are in bf16."""

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


def training_memory(
    params: ModelParams, vocabulary: int, batch_tokens: int, device: str = "cpu", averages: bool = False
) -> int:
    """Bytes that training takes on a device, about: weights, gradients and moments, logits, activations, libraries.

    averages: whether the mean of the last weights is kept too.
    """
    rows = max(FEWEST_ROWS, LOGITS_AT_ONCE[device] // vocabulary)
    logits = _logits(vocabulary, batch_tokens, rows)
    activations = round(_KEPT[device] * params.layers * _block_activations(params, batch_tokens))
    copies = 5 if averages else 4
    return 4 * (copies * parameter_count(params, vocabulary) + logits + activations) + _LIBRARIES


def scoring_memory(params: ModelParams, vocabulary: int, batch_tokens: int) -> int:
    """Bytes that scoring takes on a GPU, about: weights, logits, activations of one block, libraries."""
    logits = _logits(vocabulary, batch_tokens, LOGITS_AT_ONCE["cuda"] // vocabulary)
    return 4 * (parameter_count(params, vocabulary) + logits + _block_activations(params, batch_tokens)) + _LIBRARIES


def _logits(vocabulary: int, batch_tokens: int, rows: int) -> int:
    """Numbers: logits of a chunk of so many rows, their softmax, and what is left of the chunk before."""
    return 3 * min(batch_tokens, rows) * vocabulary


def _block_activations(params: ModelParams, batch_tokens: int) -> int:
    return batch_tokens * (20 * params.width + 4 * params.mlp_width)
