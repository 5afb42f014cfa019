import pytest
import torch
from torch import nn

from ccalib.training.muon import ConvMuon, is_matrix, matrix, orthogonal


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_matrix_is_a_view_of_the_weight(layout):
    weight = torch.randn(6, 5, 3, 3).to(memory_format=layout)
    view = matrix(weight)
    assert view.shape == (6, 45) and view.data_ptr() == weight.data_ptr()
    view[2] = 7
    assert (weight[2] == 7).all()


def test_what_mixes_channels_is_a_matrix():
    assert is_matrix(nn.Conv2d(8, 16, 1).weight) and is_matrix(nn.ConvTranspose2d(16, 8, 5).weight)
    depthwise, first, last = nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(3, 8, 5), nn.ConvTranspose2d(8, 3, 5)
    assert not any(is_matrix(layer.weight) for layer in (depthwise, first, last))
    assert not is_matrix(nn.Conv2d(8, 8, 1).bias)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_step_is_nearly_orthogonal_and_as_large_as_adams(layout):
    """All singular values of the first step are alike, whatever the gradient's are; its size is 0.2 of the rate."""
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 16, 3).to(memory_format=layout)
    optimizer = ConvMuon([layer.weight], lr=1e-2)
    before = layer.weight.detach().clone()
    gradient = torch.randn(16, 1) @ torch.randn(1, 288) + 0.05 * torch.randn(16, 288)  # one strong direction
    layer.weight.grad = gradient.view(16, 3, 3, 32).permute(0, 3, 1, 2).to(memory_format=layout)
    optimizer.step()
    step = matrix((before - layer.weight.detach()).to(memory_format=torch.channels_last))
    values = torch.linalg.svdvals(step)
    assert values[0] / values[-1] < 2.5 < 50 < torch.linalg.svdvals(gradient)[0] / torch.linalg.svdvals(gradient)[-1]
    assert step.square().mean().sqrt().item() == pytest.approx(0.2e-2, rel=0.3)


def test_layouts_agree():
    torch.manual_seed(0)
    start, gradient = torch.randn(8, 8, 3, 3), torch.randn(8, 8, 3, 3)
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        weight = nn.Parameter(start.clone().to(memory_format=layout))
        weight.grad = gradient.to(memory_format=layout)
        ConvMuon([weight], lr=1e-2).step()
        results.append(weight.detach())
    assert torch.allclose(*results, atol=1e-4)


@pytest.mark.parametrize("shape", [(16, 288), (64, 16), (24, 24)])
def test_singular_vectors_stay_and_their_values_come_near_1(shape):
    torch.manual_seed(1)
    gradient = 1e-3 * torch.randn(shape)
    left, values, right = torch.linalg.svd(gradient, full_matrices=False)
    turned = left.T @ orthogonal(gradient) @ right.T
    assert torch.allclose(turned, turned.diag().diag(), atol=1e-4)
    large = values > 0.02 * values.square().sum().sqrt()  # the smallest of a square matrix need more steps
    assert large.sum() > 0.9 * len(values) and turned.diag()[large].min() > 0.6 and turned.diag().max() < 1.3
    assert torch.allclose(orthogonal(1000 * gradient), orthogonal(gradient), atol=1e-5)  # of whatever size
    assert not orthogonal(torch.zeros(shape)).any()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has it since 2.9")
def test_steps_are_those_of_torch_on_matrices():
    torch.manual_seed(2)
    start = torch.randn(12, 40)
    ours, theirs = nn.Parameter(start[:, :, None, None].clone()), nn.Parameter(start.clone())
    optimizers = [
        ConvMuon([ours], lr=1e-2),
        torch.optim.Muon([theirs], lr=1e-2, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(4):
        theirs.grad = torch.randn(12, 40)
        ours.grad = theirs.grad[:, :, None, None].clone()
        for optimizer in optimizers:
            optimizer.step()
    moved, asked = matrix(ours.detach()) - start, theirs.detach() - start
    assert (moved - asked).norm() < 0.03 * asked.norm()  # theirs are in bfloat16
