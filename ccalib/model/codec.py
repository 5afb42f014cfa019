"""The codec: transforms, hyperprior, gains and the entropy path on one object.

    x ─► g_a (+ KLT) ─► × gain(q) ─► y ─┬──────────────► group loop ─► coder ─► bytes
                                        └─► h_a ─► z ─► ẑ ─► h_s ─┘ │
    x̂ ◄─ g_s (+ KLT⁻¹) ◄─ × inverse gain(q) ◄──────────────────── ŷ ┘

h_a, contexts, rounding and residual prediction all live in the gained domain (DESIGN 5).
"""

from __future__ import annotations

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor, nn

from ccalib.errors import CcaError
from ccalib.model import rans
from ccalib.model.coders import Estimate, Noisy, Read, Write
from ccalib.model.entropy import EntropyPath, GroupModel, LatentGaussian
from ccalib.model.exact import ACTIVATION_STEP, exact_copy, snap
from ccalib.model.gains import Gains
from ccalib.model.hyper import hyper_analysis
from ccalib.model.layers import ste_round
from ccalib.model.presets import Preset
from ccalib.model.transforms import Analysis, KLTShortcut, Synthesis

STRIDE = 64  # image sizes are padded to multiples of this: z is at 1/64


class Codec(nn.Module):
    """A CCA codec. Images are B×3×H×W in [0, 1] with H and W multiples of 64 (`ccalib.files` pads).

    `quality` is a number per image, in [0, Q]; presets without variable rate ignore it.
    In training mode the forward pass sees noise and straight-through rounding; in evaluation mode it gives exactly
    what coding gives, likelihoods and reconstruction.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.g_a, self.g_s = Analysis(preset), Synthesis(preset)
        self.klt = KLTShortcut(preset.latent) if preset.klt else None
        self.gains = Gains(preset) if preset.qualities else None
        self.h_a = hyper_analysis(preset)
        self.path = EntropyPath(preset)
        self.z_prior = EntropyBottleneck(preset.hyper)
        self.gaussian = LatentGaussian(log_scale=not preset.split_context)
        self.bf16 = False  # training only: transforms in bfloat16
        self.fingerprint = ""  # of the stored weights, set by `ccalib.weights`; files name it
        self._exact: EntropyPath | None = None
        self._tables: dict[str, rans.Tables] | None = None

    # ---- transforms -------------------------------------------------------------------------------------------------

    def analyze(self, x: Tensor, quality: Tensor | None = None) -> Tensor:
        """y in the gained domain: B×3×H×W → B×M×H/16×W/16."""
        with self._autocast(x):
            y = self.g_a(x)
        y = y.float()
        if self.klt is not None:
            y = y + self.klt(x)
        return y if self.gains is None else y * self.gains.forward_gain(quality)

    def synthesize(self, y_hat: Tensor, quality: Tensor | None = None) -> Tensor:
        """x̂, not clamped: B×M×H/16×W/16 → B×3×H×W."""
        # one layout, so that a decoder's floats are the encoder's whatever the tensors went through
        y_hat = y_hat.float().contiguous(memory_format=torch.channels_last)
        if self.gains is not None:
            y_hat = y_hat * self.gains.inverse_gain(quality)
        with self._autocast(y_hat):
            x_hat = self.g_s(y_hat)
        x_hat = x_hat.float()
        return x_hat if self.klt is None else x_hat + self.klt.inverse(y_hat)

    def _autocast(self, x: Tensor):
        return torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16 and self.training)

    # ---- forward ----------------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, quality: Tensor | None = None) -> dict:
        """Reconstruction and likelihoods.

        Returns a dictionary: `x_hat`; `likelihoods` of `y` (B×M×H/16×W/16) and `z` (B×N×H/64×W/64); and what the
        auxiliary model and the lessons read: `y`, `noisy` (y plus noise; training only), `hyper` (output of the hyper
        synthesis), `decoded` (ŷ per group).
        """
        y = self.analyze(x, quality)
        z = self.h_a(y)
        if self.training:
            _, z_likelihood = self.z_prior(z)
            medians = self._medians()
            hyper = self.path.h_s(ste_round(z - medians) + medians)
            noisy = y + torch.empty_like(y).uniform_(-0.5, 0.5)
            coder = Noisy(self.gaussian, noisy, self.preset.sizes)
            decoded = self.path.groups.walk(hyper, coder, y)
        else:
            path, noisy = self.coding_path(), None
            medians = self._medians()
            z_hat = torch.round(z - medians) + medians
            _, z_likelihood = self.z_prior(z, training=False)
            coder = Estimate(self.gaussian)
            dtype = next(path.parameters()).dtype
            hyper = path.h_s(z_hat.to(dtype))
            decoded = path.groups.walk(hyper, coder, y.to(dtype))
        return {
            "x_hat": self.synthesize(torch.cat(decoded, dim=1), quality),
            "likelihoods": {"y": torch.cat(coder.likelihoods, dim=1), "z": z_likelihood},
            "y": y,
            "noisy": noisy,
            "hyper": hyper,
            "decoded": decoded,
        }

    # ---- coding -----------------------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Codec:
        self._exact = self._tables = None  # weights may change from here on
        return super().train(mode)

    def coding_path(self) -> EntropyPath:
        """The entropy path that encoder and decoder run: rounded to exact arithmetic where the preset allows."""
        if not self.preset.exact:
            return self.path
        if self._exact is None:
            self._exact = exact_copy(self.path)
        return self._exact

    @torch.no_grad()
    def update(self) -> None:
        """Set quantiles and medians of z from its distribution, and build the integer tables of both entropy models."""
        self.z_prior._update_quantiles()
        if self.preset.exact:
            quantiles = self.z_prior.quantiles
            quantiles[:, :, 1] = snap(quantiles[:, :, 1], ACTIVATION_STEP)
        self.z_prior.update(force=True)
        self.gaussian.update()
        self._tables = None

    def tables(self) -> dict[str, rans.Tables]:
        """The range coder's tables, `y` and `z`. Raises CcaError before `update()`."""
        if self._tables is None:
            if not self.z_prior._quantized_cdf.numel() or not self.gaussian._quantized_cdf.numel():
                raise CcaError("the model has no CDF tables yet: call update() after training")
            self._tables = {"y": rans.Tables.of(self.gaussian), "z": rans.Tables.of(self.z_prior)}
            for name, table in self._tables.items():
                table.check(name)
        return self._tables

    @torch.inference_mode()
    def encode(self, x: Tensor, quality: Tensor | None = None) -> tuple[list[list[bytes]], list]:
        """Range-coded segments, z first, then the groups: per segment one byte string per image; and the symbols."""
        self._check_size(x)
        y = self.analyze(x, quality)
        medians = self._medians()
        symbols = torch.round(self.h_a(y) - medians).clamp(-rans.SYMBOL_LIMIT, rans.SYMBOL_LIMIT).int().cpu()
        rows, tables = self._z_rows(symbols.shape), self.tables()
        z_strings = [rans.encode(s, rows, tables["z"]) for s in symbols.numpy()]
        coder = Write(self.gaussian, tables["y"])
        path = self.coding_path()
        dtype = next(path.parameters()).dtype
        path.walk((symbols.to(medians) + medians).to(dtype), coder, y.to(dtype))
        return [z_strings, *coder.strings], [symbols.numpy(), *coder.symbols]

    @torch.inference_mode()
    def decode(
        self, strings: list[list[bytes] | None], shape: tuple[int, int], quality: Tensor | None = None
    ) -> tuple[Tensor, list]:
        """x̂ (B×3×64h×64w, not clamped) and all symbols, from segments as `encode` gives them.

        Args:
            strings: z first; None for groups that are missing.
            shape: (h, w) of z.
        """
        rows, tables = self._z_rows((1, self.preset.hyper, *shape)), self.tables()
        try:
            z = torch.stack([torch.from_numpy(rans.decode(s, rows, tables["z"])) for s in strings[0]])
        except CcaError as error:
            raise CcaError(f"z: {error}") from error
        medians = self._medians()
        coder = Read(self.gaussian, tables["y"], strings[1:])
        path = self.coding_path()
        dtype = next(path.parameters()).dtype
        decoded = path.walk((z.to(medians) + medians).to(dtype), coder)
        return self.synthesize(torch.cat(decoded, dim=1), quality), [z.numpy(), *coder.symbols]

    def _medians(self) -> Tensor:
        return self.z_prior._get_medians().detach().view(1, -1, 1, 1)

    def _z_rows(self, shape: tuple[int, ...]):
        return self.z_prior._build_indexes((1, *shape[1:]))[0].numpy()

    @staticmethod
    def _check_size(x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] % STRIDE or x.shape[3] % STRIDE:
            raise CcaError(f"image: B×3×H×W with H and W multiples of {STRIDE} is wanted, not {tuple(x.shape)}")


class Auxiliary(nn.Module):
    """The auxiliary entropy model: group i can't read group i − 1 (paper, section 3.2).

    Args:
        released: as in the authors' training code, with its own ŷ and residual prediction, and a factorized prior on y;
            otherwise the honest reading, which reads the main model's ŷ and predicts no residual (DESIGN 4).
    """

    def __init__(self, preset: Preset, released: bool) -> None:
        super().__init__()
        self.groups = GroupModel(preset, lag=1, residuals=max(preset.groups - 2, 0) if released else 0)
        self.y_prior = EntropyBottleneck(preset.latent) if released else None

    def forward(self, hyper, coder: Noisy | Estimate, y: Tensor, decoded: list[Tensor]) -> Tensor:
        """Likelihoods of y, B×M×h×w, under `coder`'s noise or rounding."""
        self.groups.walk(hyper, coder, y, read=None if self.y_prior is not None else decoded)
        return torch.cat(coder.likelihoods, dim=1)
