"""Decoder-only transformers in plain torch, with the parameter names and files of the transformers library.

A finished proxy is a folder that `AutoModelForCausalLM.from_pretrained` loads; the tests compare logits and gradients
with those of transformers. What is saved by not using its classes: seconds of imports in every process, and a tenth of
a training step of small models.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from olmix.params import ModelParams
from olmix.store import write_atomically

CONFIG, WEIGHTS = "config.json", "model.safetensors"

_STD = 0.02
_THETA = 10_000.0
_EPSILON = {"olmo2": 1e-5, "llama": 1e-6}
# What reads the same states is one product, or one norm, here and several in transformers.
_JOINED = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "qk_norm": ("q_norm.weight", "k_norm.weight"),
    "gate_up_proj": ("gate_proj", "up_proj"),
}
_CLASSES = {"olmo2": "Olmo2ForCausalLM", "llama": "LlamaForCausalLM"}


class Decoder(nn.Module):
    """Olmo 2 or Llama: token ids (B, T) to hidden states (B, T, width); logits are these times `unembedding`."""

    def __init__(self, params: ModelParams, vocabulary: int, sequence_length: int) -> None:
        super().__init__()
        self.params, self.vocabulary, self.sequence_length = params, vocabulary, sequence_length
        self.model = _Trunk(params, vocabulary)
        if not params.tied_embeddings:
            self.lm_head = nn.Linear(params.width, vocabulary, bias=False)

    @property
    def embedding(self) -> Tensor:
        """Input embeddings (V, width)."""
        return self.model.embed_tokens.weight

    @property
    def unembedding(self) -> Tensor:
        """Output embeddings (V, width)."""
        return self.embedding if self.params.tied_embeddings else self.lm_head.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Hidden states (B, T, width) of token ids (B, T); position t sees positions up to t."""
        half = self.params.width // self.params.heads // 2
        return self.model(ids, *_rotation(ids.shape[1], half, ids.device))


class _Trunk(nn.Module):
    def __init__(self, params: ModelParams, vocabulary: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, params.width)
        self.layers = nn.ModuleList(_Block(params) for _ in range(params.layers))
        self.norm = _norm(params)

    def forward(self, ids: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        states = self.embed_tokens(ids)
        for block in self.layers:
            states = block(states, cos, sin)
        return self.norm(states)


class _Block(nn.Module):
    """Olmo 2 normalises what each half of a block adds, Llama what it reads."""

    def __init__(self, params: ModelParams) -> None:
        super().__init__()
        self.self_attn = _Attention(params)
        self.mlp = _GatedMLP(params)
        self.reads_normalised = params.family == "llama"
        if self.reads_normalised:
            self.input_layernorm, self.post_attention_layernorm = _norm(params), _norm(params)
        else:
            self.post_attention_layernorm, self.post_feedforward_layernorm = _norm(params), _norm(params)

    def forward(self, states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        if self.reads_normalised:
            states = states + self.self_attn(self.input_layernorm(states), cos, sin)
            return states + self.mlp(self.post_attention_layernorm(states))
        states = states + self.post_attention_layernorm(self.self_attn(states, cos, sin))
        return states + self.post_feedforward_layernorm(self.mlp(states))


class _Attention(nn.Module):
    """Causal attention with rotary positions; Olmo 2 normalises queries and keys over all heads."""

    def __init__(self, params: ModelParams) -> None:
        super().__init__()
        self.heads, self.epsilon = params.heads, _EPSILON[params.family]
        self.qkv_proj = nn.Linear(params.width, 3 * params.width, bias=False)
        self.o_proj = nn.Linear(params.width, params.width, bias=False)
        self.qk_norm = nn.Parameter(torch.ones(2 * params.width)) if params.family == "olmo2" else None

    def forward(self, states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        both, value = self.qkv_proj(states).unflatten(-1, (3, -1)).split((2, 1), -2)
        if self.qk_norm is not None:
            both = rms_norm(both, both.shape[-1:], eps=self.epsilon) * self.qk_norm.view(2, -1)
        query, key = _rotate(self._by_head(both), cos, sin)
        mixed = scaled_dot_product_attention(query, key, self._by_head(value)[0], is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))

    def _by_head(self, states: Tensor) -> Tensor:
        """From (B, T, n, width) to (n, B, heads, T, width of a head)."""
        return states.unflatten(-1, (self.heads, -1)).permute(2, 0, 3, 1, 4)


class _GatedMLP(nn.Module):
    def __init__(self, params: ModelParams) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(params.width, 2 * params.mlp_width, bias=False)
        self.down_proj = nn.Linear(params.mlp_width, params.width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(states).chunk(2, -1)
        return self.down_proj(silu(gate) * up)


def _norm(params: ModelParams) -> nn.RMSNorm:
    return nn.RMSNorm(params.width, eps=_EPSILON[params.family])


@cache
def _rotation(length: int, half: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each (T, half of a head's width)."""
    with torch.inference_mode(False):  # an evaluation may be the first to ask, and training asks for the same
        frequencies = _THETA ** (-torch.arange(half, device=device) / half)
        angles = torch.outer(torch.arange(length, device=device), frequencies)
        return angles.cos(), angles.sin()


def _rotate(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = states.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1).to(states.dtype)


def new_decoder(params: ModelParams, vocabulary: int, sequence_length: int, seed: int) -> Decoder:
    """A freshly initialised model: norms at 1, else normal with 0.02, as in transformers, and `embedding_std`.

    The seed alone decides, whatever was drawn before.
    """
    model = _any_decoder(params, vocabulary, sequence_length)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.fill_(1)
            else:
                weight.normal_(0, params.embedding_std if weight is model.embedding else _STD, generator=generator)
    return model


def save_decoder(model: Decoder, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` as transformers does."""
    weights = {
        part: piece.contiguous().cpu()
        for name, weight in model.state_dict().items()
        for part, piece in split_parameter(name, weight).items()
    }
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    write_atomically(folder / CONFIG, json.dumps(_config(model), indent=2, sort_keys=True) + "\n")


def load_decoder(folder: Path, params: ModelParams, vocabulary: int, sequence_length: int) -> Decoder:
    """The model that `save_decoder` wrote for these settings."""
    model, weights = _any_decoder(params, vocabulary, sequence_length), load_file(folder / WEIGHTS)
    joined = {name: torch.cat([weights[part] for part in _parts(name)]) for name in model.state_dict()}
    model.load_state_dict(joined, assign=True)
    return model


def split_parameter(name: str, weight: Tensor) -> dict[str, Tensor]:
    """A parameter, or its gradient, under the names of transformers, where several stand for one of these."""
    parts = _parts(name)
    return dict(zip(parts, weight.chunk(len(parts)), strict=True))


def _parts(name: str) -> list[str]:
    for joined, apart in _JOINED.items():
        if joined in name:
            return [name.replace(joined, part) for part in apart]
    return [name]


def _any_decoder(params: ModelParams, vocabulary: int, sequence_length: int) -> Decoder:
    """A model with any parameters. Without them, on the `meta` device, it would cost a second of imports."""
    with torch.random.fork_rng(devices=[]):
        return Decoder(params, vocabulary, sequence_length)


def _config(model: Decoder) -> dict[str, Any]:
    params = model.params
    return {
        "architectures": [_CLASSES[params.family]],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "dtype": "float32",
        "eos_token_id": None,
        "hidden_act": "silu",
        "hidden_size": params.width,
        "initializer_range": _STD,
        "intermediate_size": params.mlp_width,
        "max_position_embeddings": model.sequence_length,
        "model_type": params.family,
        "num_attention_heads": params.heads,
        "num_hidden_layers": params.layers,
        "num_key_value_heads": params.heads,
        "pad_token_id": None,
        "rms_norm_eps": _EPSILON[params.family],
        "rope_parameters": {"rope_theta": _THETA, "rope_type": "default"},
        "rope_theta": _THETA,
        "tie_word_embeddings": params.tied_embeddings,
        "vocab_size": model.vocabulary,
    }
