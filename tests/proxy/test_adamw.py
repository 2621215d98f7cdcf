import subprocess
import sys

import pytest
import torch

from olmix.proxy.adamw import AdamW, Group


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator).requires_grad_()
        for name, shape in {"e": (7, 3), "m": (3, 5), "n": (3,)}.items()
    }


@pytest.mark.parametrize("clip", [0.1, 1e6], ids=["clipped", "not clipped"])
def test_steps_are_those_of_torch(clip):
    ours, theirs = drawn(0), drawn(0)
    mine = AdamW([Group({"e": ours["e"]}, 0.0, 10.0), Group({"m": ours["m"], "n": ours["n"]}, 0.1)], (0.9, 0.95), clip)
    reference = torch.optim.AdamW(
        [
            {"params": [theirs["e"]], "weight_decay": 0.0, "multiple": 10.0},
            {"params": [theirs["m"], theirs["n"]], "weight_decay": 0.1, "multiple": 1.0},
        ],
        betas=(0.9, 0.95),
        fused=True,
    )
    for step in range(20):
        rate = 0.01 * (step + 1)
        for weights in (ours, theirs):
            target = torch.linspace(-1, 1, 5)
            (((weights["e"] * weights["n"]) @ weights["m"] - target) ** 2).sum().backward()
        torch.nn.utils.clip_grad_norm_(theirs.values(), clip)
        for group in reference.param_groups:
            group["lr"] = rate * group["multiple"]
        reference.step()
        reference.zero_grad()
        mine.step(rate)
        assert all(weight.grad is None for weight in ours.values())
        for name, weight in ours.items():
            torch.testing.assert_close(weight, theirs[name], rtol=2e-5, atol=1e-6)


def test_training_loads_no_compiler_and_no_transformers():
    code = (
        "import sys, torch\nfrom olmix.proxy.decoder import new_decoder\nfrom olmix.proxy.model import PRESETS\n"
        "from olmix.proxy.loss import next_token_loss\nfrom olmix.proxy.train import _adamw\n"
        "from olmix.params import ProxyParams\nfrom olmix.proxy.spec import RunSpec\n"
        "model = new_decoder(PRESETS['tiny'], 64, 8, 0)\n"
        "optimiser = _adamw(model, RunSpec.of(ProxyParams(tokens=64), 64, 0, {}).training)\n"
        "ids = torch.zeros(2, 8, dtype=torch.long)\n"
        "next_token_loss(model(ids).flatten(0, 1), model.unembedding, ids.flatten()).backward()\n"
        "optimiser.step(0.1)\n"
        "assert not {'torch._dynamo', 'torch._inductor', 'transformers'} & set(sys.modules), 'seconds of imports'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
