"""Where a model runs, and in which precision."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Device:
    """Where a run trains, and whether bf16 is fast there."""

    name: str
    bf16: bool

    @classmethod
    def best(cls) -> "Device":
        """CUDA if there is one, else the CPU."""
        if torch.cuda.is_available():
            return cls("cuda", torch.cuda.is_bf16_supported())
        return cls("cpu", torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())

    @property
    def precision(self) -> str:
        """Precision of the matrix products."""
        return "bf16" if self.bf16 else "fp32"

    def autocast(self) -> torch.autocast:
        """Context of the forward pass."""
        return torch.autocast(self.name, torch.bfloat16, enabled=self.bf16)

    def send(self, batch: Tensor) -> Tensor:
        """A batch on the device; on a GPU it travels while the step before is computed."""
        return batch.pin_memory().to(self.name, non_blocking=True) if self.name == "cuda" else batch
