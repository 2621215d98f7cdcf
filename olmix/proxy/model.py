"""Proxy models: decoder-only transformers built from their configuration, never downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from olmix.params import ModelParams

if TYPE_CHECKING:
    from transformers import PreTrainedModel

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


def build_model(params: ModelParams, vocabulary: int, sequence_length: int, seed: int) -> PreTrainedModel:
    """A freshly initialised model; the same seed gives the same parameters whatever was drawn before."""
    import torch
    from transformers.models.llama import LlamaConfig, LlamaForCausalLM
    from transformers.models.olmo2 import Olmo2Config, Olmo2ForCausalLM

    classes = {"olmo2": (Olmo2Config, Olmo2ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}
    config_class, model_class = classes[params.family]
    config = config_class(
        vocab_size=vocabulary,
        hidden_size=params.width,
        intermediate_size=params.mlp_width,
        num_hidden_layers=params.layers,
        num_attention_heads=params.heads,
        num_key_value_heads=params.heads,
        max_position_embeddings=sequence_length,
        tie_word_embeddings=params.tied_embeddings,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = model_class(config)
        with torch.no_grad():
            embeddings: Any = model.get_input_embeddings()
            embeddings.weight.mul_(params.embedding_std / config.initializer_range)
    return model


def flops_per_token(params: ModelParams, vocabulary: int, sequence_length: int) -> int:
    """Training FLOPs of one token: 6 per matrix parameter, plus causal attention; the embedding look-up is free."""
    block = 4 * params.width**2 + 3 * params.width * params.mlp_width
    matrices = params.layers * block + vocabulary * params.width
    attention = params.layers * sequence_length * params.width  # half of the scores are masked
    return 6 * (matrices + attention)
