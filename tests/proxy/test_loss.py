import pytest
import torch
from torch.nn.functional import cross_entropy

from olmix.proxy import loss as module
from olmix.proxy.loss import next_token_loss


def drawn(tokens=37, width=12, vocabulary=90, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(tokens, width, generator=generator, dtype=dtype).requires_grad_()
    weight = torch.randn(vocabulary, width, generator=generator, dtype=dtype).requires_grad_()
    return states, weight, torch.randint(0, vocabulary, (tokens,), generator=generator)


@pytest.mark.parametrize("rows", [1, 10, 256])
def test_loss_and_gradients_are_those_of_torch(rows, monkeypatch):
    monkeypatch.setattr(module, "FEWEST_ROWS", rows)
    monkeypatch.setitem(module.LOGITS_AT_ONCE, "cpu", 1)
    states, weight, targets = drawn()
    expected = cross_entropy(states.float() @ weight.float().T, targets)
    wanted = torch.autograd.grad(3 * expected, [states, weight])
    found = next_token_loss(states, weight, targets)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    for ours, theirs in zip(torch.autograd.grad(3 * found, [states, weight]), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_logits_far_apart_do_not_overflow():
    states, weight, targets = drawn(dtype=torch.float32)
    found = next_token_loss(1e4 * states, weight, targets)
    assert found.item() == pytest.approx(cross_entropy(1e4 * states @ weight.T, targets).item(), rel=1e-5)


def test_what_is_not_a_number_shows():
    states, weight, targets = drawn(dtype=torch.float32)
    assert next_token_loss(states * torch.nan, weight, targets).isnan()


def test_bf16_products_keep_a_float32_softmax():
    states, weight, targets = drawn(tokens=500, width=64, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = next_token_loss(states, weight, targets)
        slope = torch.autograd.grad(found, weight)[0]
    exact = next_token_loss(states, weight, targets)
    assert found.dtype == torch.float32
    assert slope.dtype == torch.float32
    assert found.item() == pytest.approx(exact.item(), rel=5e-3)
    torch.testing.assert_close(slope, torch.autograd.grad(exact, weight)[0], rtol=0.1, atol=2e-4)
