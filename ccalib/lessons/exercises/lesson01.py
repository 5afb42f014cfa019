"""Checks of lesson 01: the KLT, and the receptive field by gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ccalib.lessons.exercises.checker import Answer, Exercise, Mistake, Property, Wrong
from ccalib.model.layers import NAFBlock, SimpleGate

# ---- klt(patches, M) -> basis, mean ---------------------------------------------------------------------------------


def draw_patches(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """n×d patches with correlated columns and a mean that isn't zero; and M, 2 … d − 1."""
    d, n = int(rng.integers(4, 13)), int(rng.integers(40, 200))
    patches = 5 * rng.standard_normal(d) + rng.standard_normal((n, d)) @ rng.standard_normal((d, d))
    return patches, int(rng.integers(2, d))


def eigen(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of the covariance, rising, and their vectors as columns."""
    centered = patches - patches.mean(axis=0)
    return np.linalg.eigh(centered.T @ centered / len(patches))


def _basis(answer: Answer, patches: np.ndarray, M: int) -> tuple[np.ndarray, np.ndarray]:
    result = answer[0](patches.copy(), M)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Wrong(f"{type(result).__name__}, not two arrays (basis and mean)")
    basis, mean = (np.asarray(part, dtype=np.float64) for part in result)
    d = patches.shape[1]
    if basis.shape != (M, d) or mean.shape != (d,):
        raise Wrong(f"basis {basis.shape}, mean {mean.shape}; wanted {(M, d)} and {(d,)}")
    return basis, mean


def _patches(patches: np.ndarray, M: int) -> str:
    return f"{len(patches)} patches of {patches.shape[1]} values, M = {M}"


def orthonormal(answer: Answer, patches: np.ndarray, M: int) -> None:
    basis, _ = _basis(answer, patches, M)
    products = basis @ basis.T
    i, j = np.unravel_index(np.abs(products - np.eye(M)).argmax(), products.shape)
    if abs(products[i, j] - (i == j)) > 1e-6:
        raise Wrong(f"row {i} · row {j} = {products[i, j]:.4f}, not {int(i == j)}")


def decorrelated(answer: Answer, patches: np.ndarray, M: int) -> None:
    basis, mean = _basis(answer, patches, M)
    if not np.allclose(mean, patches.mean(axis=0)):
        raise Wrong(f"a mean of {np.round(mean, 2)}, not {np.round(patches.mean(axis=0), 2)}")
    covariance = np.cov((patches - mean) @ basis.T, rowvar=False, bias=True)
    scale = eigen(patches)[0].max()
    off = np.abs(covariance - np.diag(np.diag(covariance)))
    if off.max() > 1e-6 * scale:
        i, j = np.unravel_index(off.argmax(), off.shape)
        raise Wrong(f"coefficients {i} and {j} have covariance {covariance[i, j]:.4f}, not 0")
    variances = np.diag(covariance)
    if (np.diff(variances) > 1e-6 * scale).any():
        raise Wrong(f"variances {np.round(variances, 3)}, which rise")


def error(answer: Answer, patches: np.ndarray, M: int) -> None:
    basis, mean = _basis(answer, patches, M)
    kept = (patches - mean) @ basis.T @ basis + mean
    found, wanted = np.square(patches - kept).sum(axis=1).mean(), eigen(patches)[0][:-M].sum()
    if not np.isclose(found, wanted, rtol=1e-6, atol=1e-9):
        raise Wrong(f"a squared error of {found:.4f} a patch; dropped eigenvalues: {wanted:.4f}")


def _gives(*wrong_bases: Callable) -> Callable:
    """Whether the student's basis is one of these, but for signs (and for which way it lies)."""

    def made(answer: Answer, patches: np.ndarray, M: int) -> bool:
        basis = np.abs(np.asarray(answer[0](patches, M)[0], dtype=np.float64))
        wrongs = (np.abs(wrong(patches, M)) for wrong in wrong_bases)
        return any(basis.shape == w.shape and np.allclose(basis, w, atol=1e-6) for w in wrongs)

    return made


def _second_moment(patches: np.ndarray, M: int) -> np.ndarray:
    return np.linalg.eigh(patches.T @ patches / len(patches))[1][:, ::-1].T[:M]


KLT = Exercise(
    "klt",
    _patches,
    {
        "orthonormal": Property("rows of length 1 at right angles, M×d", draw_patches, orthonormal),
        "decorrelated": Property(
            "coefficients that are not correlated, with variances that never rise", draw_patches, decorrelated
        ),
        "error": Property("the squared error is the sum of the dropped eigenvalues", draw_patches, error),
    },
    (
        Mistake(
            "The mean is still in: the first component then points at the mean patch. Subtract the mean first.",
            _gives(_second_moment),
        ),
        Mistake(
            "`eigh` sorts its eigenvalues from small to large: these are the components with the smallest variances.",
            _gives(lambda patches, M: eigen(patches)[1].T[:M]),
        ),
        Mistake(
            "Wrong axis: the eigenvectors are the columns of what `eigh` returns, and the rows of the basis.",
            _gives(
                lambda patches, M: eigen(patches)[1][:M],
                lambda patches, M: eigen(patches)[1][::-1][:M],
                lambda patches, M: eigen(patches)[1][:, ::-1][:M],
                lambda patches, M: eigen(patches)[1][:, ::-1][:, :M],
                lambda patches, M: eigen(patches)[1][:, :M],
            ),
        ),
    ),
)

# ---- receptive_field(net, size) -> side -----------------------------------------------------------------------------


def random_weights(net: nn.Module, rng: np.random.Generator) -> nn.Module:
    """All parameters at random, so that no gradient is zero by chance."""
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.from_numpy(rng.standard_normal(p.shape)).float() / max(p[0].numel(), 1) ** 0.5)
    return net.eval()


def draw_stack(rng: np.random.Generator) -> tuple[nn.Module, int]:
    """Two or three convolutions with any kernel, stride and dilation; an image of 96×96."""
    layers: list[nn.Module] = []
    for i in range(int(rng.integers(2, 4))):
        kernel, dilation = int(rng.choice([1, 3, 5])), int(rng.integers(1, 3))
        layers.append(
            nn.Conv2d(
                3 if i == 0 else 4, 4, 3 if i == 0 else kernel, stride=int(rng.integers(1, 3)), dilation=dilation,
                padding=dilation * ((3 if i == 0 else kernel) - 1) // 2,
            )
        )  # fmt: skip
    return random_weights(nn.Sequential(*layers), rng), 96


def draw_gate(rng: np.random.Generator) -> tuple[nn.Module, int]:
    """Two convolutions without bias around a gate."""
    kernels = [int(k) for k in rng.choice([3, 5], 2)]
    net = nn.Sequential(
        nn.Conv2d(3, 8, kernels[0], padding=kernels[0] // 2, bias=False), SimpleGate(),
        nn.Conv2d(4, 4, kernels[1], padding=kernels[1] // 2, bias=False),
    )  # fmt: skip
    return random_weights(net, rng), 32


def draw_attention(rng: np.random.Generator) -> tuple[nn.Module, int]:
    """A NAF block with channel attention."""
    return random_weights(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), NAFBlock(8)), rng), 16 + 4 * int(rng.integers(4))


def formula(net: nn.Module, size: int) -> int:
    """1 + Σ (kernel − 1)·dilation·(product of earlier strides); the whole image if there is a channel attention."""
    side, step = 1, 1
    for layer in net.modules():
        if isinstance(layer, NAFBlock) and layer.attention is not None:
            return size
        if isinstance(layer, nn.Conv2d):
            side += (layer.kernel_size[0] - 1) * layer.dilation[0] * step
            step *= layer.stride[0]
    return side


def field(answer: Answer, net: nn.Module, size: int) -> None:
    found, wanted = answer[0](net, size), formula(net, size)
    if isinstance(found, bool) or not isinstance(found, int | np.integer | torch.Tensor | float) or found != wanted:
        raise Wrong(f"{found}, not {wanted}")


def _layers(net: nn.Module, size: int) -> str:
    def words(layer: nn.Module) -> str:
        if not isinstance(layer, nn.Conv2d):
            return type(layer).__name__
        return f"{layer.kernel_size[0]}×{layer.kernel_size[0]} stride {layer.stride[0]} dilation {layer.dilation[0]}"

    return f"{', '.join(map(words, net))}; image {size}×{size}"


def _of_all(answer: Answer, net: nn.Module, size: int) -> bool:
    x = torch.randn(1, 3, size, size, requires_grad=True)
    net(x).sum().backward()
    return int(answer[0](net, size)) == _side(x)


def _side(x: torch.Tensor) -> int:
    rows = torch.nonzero(x.grad.abs().sum((0, 1, 3)))
    return int(rows.max() - rows.min()) + 1


def _at_corner(answer: Answer, net: nn.Module, size: int) -> bool:
    x = torch.randn(1, 3, size, size, requires_grad=True)
    net(x)[0, :, 0, 0].sum().backward()
    return _side(x) < formula(net, size) and int(answer[0](net, size)) == _side(x)


def _image_of_zeros(answer: Answer, net: nn.Module, size: int) -> bool:
    seen: list[torch.Tensor] = []
    hook = net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    try:
        answer[0](net, size)
    except Exception:  # most go on to the first of no rows at all
        pass
    finally:
        hook.remove()
    return bool(seen) and not any(x.any() for x in seen)


RECEPTIVE_FIELD = Exercise(
    "receptive_field",
    _layers,
    {
        "convolutions": Property("the side that kernels, strides and dilations add up to", draw_stack, field),
        "gate": Property("the same where a gate multiplies two halves", draw_gate, field),
        "attention": Property("channel attention sees the whole image", draw_attention, field, instances=5),
    },
    (
        Mistake(
            "That is the whole image: the gradient of all outputs together. Take one output position.",
            _of_all,
        ),
        Mistake(
            "A position at the border sees less, because its field is cut. Take one in the middle.",
            _at_corner,
        ),
        Mistake(
            "Your image is all zeros, and there a product of two halves has no slope. Take a random image.",
            _image_of_zeros,
        ),
    ),
)

EXERCISES = {one.name: one for one in (KLT, RECEPTIVE_FIELD)}
