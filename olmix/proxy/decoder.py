"""Decoder-only transformers in plain torch, with the parameter names and files of the transformers library.

A finished proxy is a folder that `AutoModelForCausalLM.from_pretrained` loads; the tests compare logits and gradients
with those of transformers. What is saved by not using its classes: seconds of imports in every process, and a tenth of
a training step of small models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from olmix.params import ModelParams
from olmix.store import write_atomically

CONFIG, WEIGHTS = "config.json", "model.safetensors"

_STD = 0.02
_THETA = 10_000.0
_EPSILON = {"olmo2": 1e-5, "llama": 1e-6}
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
        return self.model(ids, *self._rotation(ids.shape[1], ids.device))

    def _rotation(self, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the rotary angles, each (T, half of a head's width)."""
        half = self.params.width // self.params.heads // 2
        frequencies = _THETA ** (-torch.arange(half, device=device) / half)
        angles = torch.outer(torch.arange(length, device=device), frequencies)
        return angles.cos(), angles.sin()


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
        self.heads = params.heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(params.width, params.width, bias=False) for _ in range(4)
        )
        normalised = params.family == "olmo2"
        self.q_norm: nn.Module = _norm(params) if normalised else nn.Identity()
        self.k_norm: nn.Module = _norm(params) if normalised else nn.Identity()

    def forward(self, states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        query = _rotate(self._split(self.q_norm(self.q_proj(states))), cos, sin)
        key = _rotate(self._split(self.k_norm(self.k_proj(states))), cos, sin)
        mixed = scaled_dot_product_attention(query, key, self._split(self.v_proj(states)), is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class _GatedMLP(nn.Module):
    def __init__(self, params: ModelParams) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(params.width, params.mlp_width, bias=False)
        self.up_proj = nn.Linear(params.width, params.mlp_width, bias=False)
        self.down_proj = nn.Linear(params.mlp_width, params.width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        return self.down_proj(silu(self.gate_proj(states)) * self.up_proj(states))


def _norm(params: ModelParams) -> nn.RMSNorm:
    return nn.RMSNorm(params.width, eps=_EPSILON[params.family])


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
    weights = {name: weight.contiguous().cpu() for name, weight in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    write_atomically(folder / CONFIG, json.dumps(_config(model), indent=2, sort_keys=True) + "\n")


def load_decoder(folder: Path, params: ModelParams, vocabulary: int, sequence_length: int) -> Decoder:
    """The model that `save_decoder` wrote for these settings."""
    model = _any_decoder(params, vocabulary, sequence_length)
    model.load_state_dict(load_file(folder / WEIGHTS), assign=True)
    return model


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
