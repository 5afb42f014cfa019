"""The codec: transforms, hyperprior, gains and the entropy path on one object.

    x ─► g_a (+ KLT) ─► × gain(q) ─► y ─┬──────────────► group loop ─► coder ─► bytes
                                        └─► h_a ─► z ─► ẑ ─► h_s ─┘ │
    x̂ ◄─ g_s (+ KLT⁻¹) ◄─ × inverse gain(q) ◄──────────────────── ŷ ┘

h_a, contexts, rounding and residual prediction all live in the gained domain.

A codec is a CompressAI `CompressionModel`: that library's training and evaluation tools take it as it is if it has one
rate, and `codec.at(quality)`, a view of one rate, if it has many.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ccalib.errors import CcaError
from ccalib.model import rans
from ccalib.model.auxiliary import Auxiliary
from ccalib.model.borrowed import CompressionModel, EntropyBottleneck
from ccalib.model.coders import Estimate, Noisy, Read, Write
from ccalib.model.entropy import EntropyPath, LatentGaussian
from ccalib.model.exact import ACTIVATION_STEP, exact_copy, snap
from ccalib.model.fixed import FixedRate
from ccalib.model.gains import Gains
from ccalib.model.hyper import HyperKLT, hyper_analysis
from ccalib.model.infer import infer
from ccalib.model.layers import channels_last, ste_round
from ccalib.model.presets import Preset
from ccalib.model.refine import refine
from ccalib.model.strips import in_strips
from ccalib.model.transforms import PATCH, Analysis, KLTShortcut, Synthesis

STRIDE = 64  # image sizes are padded to multiples of this: z is at 1/64


class Codec(CompressionModel):
    """A CCA codec. Images are B×3×H×W in [0, 1] with H and W multiples of 64 (`ccalib.files` pads).

    `quality` is a number per image, B in [0, Q]; presets without variable rate ignore it.
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
        self.hyper_klt = HyperKLT(preset) if preset.hyper_klt else None
        self.path = EntropyPath(preset)
        self.z_prior = EntropyBottleneck(preset.hyper)
        self.gaussian = LatentGaussian(log_scale=not preset.split_context)
        self.auxiliary: Auxiliary | None = None  # what a CCA loss adds; nothing that is coded reads it
        self.bf16 = False  # training only: transforms in bfloat16
        self.bf16_coding = False  # evaluation and coding: the same, set by `ccalib.load`
        self.frozen = False  # training only: see `ccalib.training.start.freeze_analysis`
        self.fingerprint = ""  # of the stored weights, set by `ccalib.weights`; files name it
        self._exact: list[EntropyPath] = []  # at most one; in a list it is no submodule of this one
        self._tables: dict[str, rans.Tables] | None = None

    # ---- transforms -------------------------------------------------------------------------------------------------

    @in_strips(PATCH)
    def analyze(self, x: Tensor, quality: Tensor | None = None) -> Tensor:
        """y in the gained domain: B×3×H×W → B×M×H/16×W/16."""
        x = channels_last(x)
        with self._autocast(x, not self.frozen):
            y = self.g_a(x).float()
        if self.klt is not None:
            y = y + self.klt(x)
        return y if self.gains is None else y * self.gains.forward_gain(quality)

    @in_strips(1)
    def synthesize(self, y_hat: Tensor, quality: Tensor | None = None) -> Tensor:
        """x̂, not clamped: B×M×H/16×W/16 → B×3×H×W."""
        # one layout, so that a decoder's floats are the encoder's whatever the tensors went through
        y_hat = channels_last(y_hat.float())
        if self.gains is not None:
            y_hat = y_hat * self.gains.inverse_gain(quality)
        with self._autocast(y_hat):
            x_hat = self.g_s(y_hat).float()
        return x_hat if self.klt is None else x_hat + self.klt.inverse(y_hat)

    def hyper_analyze(self, y: Tensor) -> Tensor:
        """z: B×M×H/16×W/16 in the gained domain → B×N×H/64×W/64."""
        z = self.h_a(y)
        return z if self.hyper_klt is None else z + self.hyper_klt(y)

    def _autocast(self, x: Tensor, wanted: bool = True):
        wanted = wanted and (self.bf16 if self.training else self.bf16_coding)
        return torch.autocast(x.device.type, torch.bfloat16, enabled=wanted)

    # ---- forward ----------------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, quality: Tensor | None = None, auxiliary: bool = True) -> dict:
        """Reconstruction and likelihoods.

        Returns a dictionary: `x_hat`; `likelihoods` of `y` (B×M×H/16×W/16) and `z` (B×N×H/64×W/64); and what the
        auxiliary model and the lessons read: `y`, `noisy` (y plus noise in training, unless the analysis is frozen),
        `hyper` (output of the hyper synthesis), `decoded` (ŷ per group).

        A codec with an auxiliary model adds `aux_likelihoods`, unless `auxiliary` is False: its own of `y`, and those
        of its `factorized` prior on y where it has one.

        Raises:
            CcaError: sides that aren't multiples of 64.
        """
        self._check_size(x)
        y = self.analyze(x, quality)
        z, medians = self.hyper_analyze(y), self._medians()
        if self.training:
            _, z_likelihood = self.z_prior(z, training=not self.frozen)
            hyper = self.path.h_s(ste_round(z - medians) + medians)
            noisy = None if self.frozen else y + torch.empty_like(y).uniform_(-0.5, 0.5)
            coder = Noisy(self.gaussian, noisy, self.preset.sizes)
            decoded = self.path.groups.walk(hyper, coder, y)
        else:
            path, noisy = self.coding_path(), None
            z_hat = torch.round(z - medians) + medians
            _, z_likelihood = self.z_prior(z, training=False)
            coder = Estimate(self.gaussian)
            hyper = path.h_s(z_hat.to(next(path.parameters())))
            decoded = path.groups.walk(hyper, coder, y.to(hyper[0]))
        out = {
            "x_hat": self.synthesize(torch.cat(decoded, dim=1), quality),
            "likelihoods": {"y": torch.cat(coder.likelihoods, dim=1), "z": z_likelihood},
            "y": y,
            "noisy": noisy,
            "hyper": hyper,
            "decoded": decoded,
        }
        if self.auxiliary is not None and auxiliary:
            out["aux_likelihoods"] = self._auxiliary_likelihoods(out)
        return out

    def _auxiliary_likelihoods(self, out: dict) -> dict[str, Tensor]:
        y = out["y"]
        coder = Noisy(self.gaussian, out["noisy"], self.preset.sizes) if self.training else Estimate(self.gaussian)
        hyper, decoded = (tuple(t.to(y) for t in out[name]) for name in ("hyper", "decoded"))
        result = {"y": self.auxiliary(hyper, coder, y, decoded)}
        if self.auxiliary.y_prior is not None:
            result["factorized"] = self.auxiliary.y_prior(y)[1]
        return result

    # ---- coding -----------------------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Codec:
        self._forget()  # weights may change from here on
        return super().train(mode)

    def load_state_dict(self, state_dict, strict: bool = True):
        self._forget()
        return super().load_state_dict(state_dict, strict)

    @classmethod
    def from_state_dict(cls, state_dict: dict[str, Tensor], preset: Preset | None = None) -> Codec:
        """A new codec with these weights, trainable; without a preset, it is inferred from their names and shapes.

        Names may carry the prefix `module.` (several processes) or `codec.` (a view's, a training run's).

        Raises:
            CcaError: not a codec's weights; a name or shape that doesn't fit (named).
        """
        preset, released, state_dict = infer(state_dict, preset)
        codec = cls(preset)
        if released is not None:
            codec.auxiliary = Auxiliary(preset, released)
        codec.load_state_dict(codec.state_dict() | state_dict)  # tables may be missing
        return codec

    def at(self, quality: float) -> FixedRate:
        """A view of this codec at one quality, which CompressAI's tools take. Raises CcaError outside [0, Q]."""
        return FixedRate(self, quality)

    def coding_path(self) -> EntropyPath:
        """The entropy path that encoder and decoder run: rounded to exact arithmetic where the preset allows."""
        if not self.preset.exact:
            return self.path
        if not self._exact or self.training:  # in training the weights may have changed since
            self._exact = [exact_copy(self.path)]
        return self._exact[0]

    def _forget(self) -> None:
        self._exact, self._tables = [], None

    @torch.no_grad()
    def update(
        self, scale_table: Tensor | None = None, force: bool = False, update_quantiles: bool = False
    ) -> bool:  # CompressAI's signature
        """Build the integer tables of both entropy models from their parameters.

        Args:
            scale_table: other scales than the 64 of this model; exact presets take none.
            force: also where there are tables already.
            update_quantiles: first set quantiles and medians from the distributions, as our training does at its end;
                otherwise they are as trained by `aux_loss`, or as loaded.
        Returns:
            whether anything was built.
        """
        if scale_table is not None and self.preset.exact:
            raise CcaError(f"scale_table: the model {self.preset.name} has its own")
        updated = False
        for bottleneck in self._bottlenecks():
            if force or not bottleneck._offset.numel():
                if update_quantiles:
                    bottleneck._update_quantiles()
                if self.preset.exact:  # the entropy path reads ẑ, so medians lie on its grid
                    bottleneck.quantiles[:, :, 1] = snap(bottleneck.quantiles[:, :, 1], ACTIVATION_STEP)
                updated |= bottleneck.update(force=True)
        scales = self.gaussian.own_scales if scale_table is None else scale_table
        updated |= self.gaussian.update_scale_table(scales, force=force)
        self._tables = None
        return updated

    @property
    def updated(self) -> bool:
        """Whether both entropy models have their tables."""
        return bool(self.z_prior._offset.numel() and self.gaussian._offset.numel())

    def _bottlenecks(self) -> list[EntropyBottleneck]:
        return [m for m in self.modules() if isinstance(m, EntropyBottleneck)]

    def tables(self) -> dict[str, rans.Tables]:
        """The range coder's tables, `y` and `z`. Raises CcaError before `update()`."""
        if self._tables is None:
            if not self.updated:
                raise CcaError("the model has no CDF tables yet: call update() after training")
            self._tables = {"y": rans.Tables.of(self.gaussian), "z": rans.Tables.of(self.z_prior)}
            for name, table in self._tables.items():
                table.check(name)
        return self._tables

    @torch.inference_mode()
    def encode(self, x: Tensor, quality: Tensor | None = None, effort: int = 0, size=None) -> tuple[list, list]:
        """Range-coded segments, z first, then the groups: per segment one byte string per image; and the symbols.
        With `effort`, so many steps of refinement (`ccalib.model.refine`), where `size` leaves padding out."""
        self._check_size(x)
        y, medians = self.analyze(x, quality), self._medians()
        symbols = torch.round(self.hyper_analyze(y) - medians).clamp(-rans.SYMBOL_LIMIT, rans.SYMBOL_LIMIT).int().cpu()
        y = refine(self, x, y, symbols.to(medians) + medians, quality, effort, size)
        rows, tables = self._z_rows(symbols.shape), self.tables()
        z_strings = [rans.encode(s, rows, tables["z"]) for s in symbols.numpy()]
        coder = Write(self.gaussian, tables["y"])
        self.coding_path().walk(symbols.to(medians) + medians, coder, y)
        return [z_strings, *coder.strings], [symbols.numpy(), *coder.symbols]

    @torch.inference_mode()
    def decode(
        self, strings: list[list[bytes] | None], shape: tuple[int, int], quality: Tensor | None = None,
        check: Callable | None = None,
    ) -> tuple[Tensor, list]:  # fmt: skip
        """x̂ (B×3×64h×64w, not clamped) and all symbols, from segments as `encode` gives them.

        Args:
            strings: z first; None for groups that are missing.
            shape: (h, w) of z.
            check: called with the number of each segment that is there (z is 0) and its symbols, before the next.
        """
        rows, tables = self._z_rows((1, self.preset.hyper, *shape)), self.tables()
        try:
            z = torch.stack([torch.from_numpy(rans.decode(s, rows, tables["z"])) for s in strings[0]])
        except CcaError as error:
            raise CcaError(f"z: {error}") from error
        if check is not None:
            check(0, z.numpy())
        medians, coder = self._medians(), Read(self.gaussian, tables["y"], strings[1:], check)
        decoded = self.coding_path().walk(z.to(medians) + medians, coder)
        return self.synthesize(torch.cat(decoded, dim=1), quality), [z.numpy(), *coder.symbols]

    def compress(self, x: Tensor, quality: Tensor | None = None) -> dict:
        """As CompressAI has it: `strings`, a list per segment (the groups, then z) of one byte string per image, and
        `shape`, height and width of z."""
        (z, *groups), _ = self.encode(x, quality)
        return {"strings": [*groups, z], "shape": torch.Size((x.shape[2] // STRIDE, x.shape[3] // STRIDE))}

    def decompress(self, strings: list[list[bytes]], shape: tuple[int, int], quality: Tensor | None = None) -> dict:
        """`x_hat`, B×3×64h×64w in [0, 1], from what `compress` gives. Raises CcaError."""
        segments = self.preset.groups + 1
        if len(strings) != segments or len({len(s) for s in strings}) != 1 or not strings[0]:
            raise CcaError(f"strings: {segments} lists of one byte string per image are wanted (the groups, then z)")
        x_hat, _ = self.decode([strings[-1], *strings[:-1]], tuple(shape), quality)
        return {"x_hat": x_hat.clamp(0, 1)}

    def _medians(self) -> Tensor:
        return self.z_prior._get_medians().detach().view(1, -1, 1, 1)

    def _z_rows(self, shape: tuple[int, ...]):
        return self.z_prior._build_indexes((1, *shape[1:]))[0].numpy()

    @staticmethod
    def _check_size(x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] % STRIDE or x.shape[3] % STRIDE or not x.numel():
            raise CcaError(f"image: B×3×H×W with H and W multiples of {STRIDE} is wanted, not {tuple(x.shape)}")
