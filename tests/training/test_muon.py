import pytest
import torch
from torch import nn

from ccalib.training.muon import ConvMuon, is_matrix, matrix


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
