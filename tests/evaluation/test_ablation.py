"""The ablation: what is paired shares its start, crops and noise; results are skipped; intervals and α* by numbers."""

import contextlib
import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from ccalib import CcaError
from ccalib.cli import main
from ccalib.evaluation import ablation
from ccalib.evaluation.ablation import between, choose_alpha, compare, moved, pairs, summarize, t_interval
from ccalib.evaluation.ablation_command import load_results
from ccalib.evaluation.ablation_runs import Place, rule_run, stored
from ccalib.model.codec import STRIDE, Codec
from ccalib.training import arms, checkpoint, start
from ccalib.training.arms import ARMS, EXPLORATORY_SEED, FAMILIES, RULED, TABLE, Bench, Run, train_run
from ccalib.training.fit import Fit
from ccalib.training.loop import Trainer
from tests.conftest import DATA

SMALL_STEPS = {"batch": 2, "crop": 64, "warmup": 1, "ema": 0.5}
BENCH = Bench(4, {"plain": 0.1, "honest": 0.15, "released": 0.2}, SMALL_STEPS, "a test")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """KLTs from few patches."""
    monkeypatch.setattr(start, "PATCHES", 1500)
    monkeypatch.setattr(start, "BLOCKS", 400)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six small photographs, cut from the course's, and a list of two to hold out."""
    folder = tmp_path_factory.mktemp("photographs")
    for i, file in enumerate(sorted((DATA / "images").glob("*.png"))[:6]):
        Image.open(file).convert("RGB").crop((100, 100, 228, 164)).save(folder / f"{i}.png")
    (folder / "held.txt").write_text("1.png\n4.png\n")
    return folder


# ---- the table ------------------------------------------------------------------------------------------------------


def test_the_table_is_the_issues():
    names = [r.name for r in TABLE]
    assert len(set(names)) == len(names)
    count = lambda family, *found: sum(
        r.family == family and r.arm in found for r in TABLE if r.seed != EXPLORATORY_SEED
    )
    assert count("k1.7", "plain", "honest-constant", "honest-falling", "released") == 16
    assert count("even", "plain", "honest-falling") == 6 and count("noklt", "plain", "honest-falling") == 4
    assert sum(count(f, "plain") for f in ("k0.5", "k1", "k2.5")) == 6
    assert sum(count(f, "plain") for f in ("g1", "g2", "g10")) == 3
    assert [ARMS[r.arm]["alpha"] for r in TABLE if r.seed == EXPLORATORY_SEED and r.arm != "plain"] == [0.05, 0.2, 1]
    assert len(RULED) == 16 + 6 + 3 + 6 + 4 + 3 + 1 and all(r.snapshots for r in RULED)  # 1: α*'s plain
    assert not any(r.waits for r in TABLE[:4]) and all(r.seed == EXPLORATORY_SEED for r in TABLE[:4])
    for family, arm, base_family, base_arm in pairs():  # what is compared has runs to pair with
        seeds, bases = (
            {r.seed for r in TABLE if (r.family, r.arm) == k} for k in ((family, arm), (base_family, base_arm))
        )
        assert seeds <= bases
    assert "excludes 0" in BENCH.rule and "excludes 0" in arms.__doc__


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains(family):
    preset = Run(family, "plain", 0).preset
    assert sum(preset.sizes) == preset.latent and len(preset.sizes) == preset.groups
    assert family != "even" or max(preset.sizes) - min(preset.sizes) <= 1
    codec = Codec(preset).train()
    out = codec(torch.rand(1, 3, STRIDE, STRIDE), torch.tensor([2.0]))
    assert [d.shape[1] for d in out["decoded"]] == list(preset.sizes)


@pytest.mark.parametrize("arm", ["honest-constant", "honest-falling", "released", "longer"])
def test_paired_runs_share_weights_crops_qualities_and_noise(photos, tmp_path, arm):
    seen = {}
    for name in ("plain", arm):
        run = Run("k1.7", name, 3)
        trainer = Trainer(tmp_path / name, run.preset, photos, BENCH.train_settings(run, 0.2), plan=BENCH.plan(run),
                          progress=False)  # fmt: skip
        weights = {n: p.detach().clone() for n, p in trainer.objective.codec.named_parameters() if "auxiliary" not in n}
        seen[name] = (weights, *trainer.crops.at(2), trainer.objective.train().codec(*trainer.crops.at(2))["noisy"])
    (ours, *a), (theirs, *b) = seen["plain"], seen[arm]
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[n], theirs[n]) for n in ours)
    assert all(map(torch.equal, a, b))


def test_settings_and_plans_of_the_arms():
    plain, falling, longer = (Run("k1.7", arm, 1) for arm in ("plain", "honest-falling", "longer"))
    bench = dataclasses.replace(BENCH, steps=1000, settings={})
    assert bench.train_settings(plain, 0.3).alpha == 0 and bench.train_settings(falling, 0.3).alpha == 0.3
    assert bench.plan(plain) == bench.plan(falling)
    plan, s = bench.plan(falling), bench.train_settings(falling, 0.3)
    assert plan.alpha(700, s.alpha, s.alpha_fall) == 0 < plan.alpha(650, s.alpha, s.alpha_fall)
    assert (
        bench.slowest == 2 and bench.steps_of(longer) == 2000 and bench.plan(longer).warmup == bench.plan(plain).warmup
    )
    assert bench.seconds(falling) == pytest.approx(150)


def test_longer_goes_on_from_plain_as_if_from_the_start(photos, tmp_path):
    train_run(Run("k1.7", "plain", 0), BENCH, None, photos, tmp_path / "a", False)
    grown, _ = train_run(Run("k1.7", "longer", 0), BENCH, None, photos, tmp_path / "a", False)
    whole, _ = train_run(Run("k1.7", "longer", 0), BENCH, None, photos, tmp_path / "b", False)  # no plain to go on from
    assert all(torch.equal(a, b) for a, b in zip(grown.parameters(), whole.parameters(), strict=True))
    assert checkpoint.load(tmp_path / "a/k1.7-longer-s0/last.pt")["step"] == 8
    stale = checkpoint.load(tmp_path / "a/k1.7-plain-s0/constant.pt") | {"photos": "others"}
    (tmp_path / "c/k1.7-plain-s0").mkdir(parents=True)
    checkpoint.save(tmp_path / "c/k1.7-plain-s0/constant.pt", stale)
    with pytest.raises(CcaError, match="constant.pt: of other settings, steps or photographs"):
        train_run(Run("k1.7", "longer", 0), BENCH, None, photos, tmp_path / "c", False)
    with pytest.raises(CcaError, match="last.pt: of other settings, steps"):
        train_run(Run("k1.7", "plain", 0), dataclasses.replace(BENCH, steps=6), None, photos, tmp_path / "a", False)


# ---- statistics -----------------------------------------------------------------------------------------------------


def test_t_interval_by_hand():
    """t(0.975; 2) = 4.302653, s = 1 and n = 3: 2 ± 4.302653/√3."""
    entry = t_interval([1.0, 2.0, 3.0])
    assert entry["mean"] == 2 and entry["n"] == 3
    assert entry["low"] == pytest.approx(2 - 2.484138, abs=1e-5) and entry["high"] == pytest.approx(
        2 + 2.484138, abs=1e-5
    )
    assert not entry["claimed"]
    assert t_interval([1.9, 2.0, 2.1])["claimed"] and t_interval([-1.9, -2.0, -2.1])["claimed"]
    single = t_interval([5.0])
    assert single["mean"] == 5 and single["low"] is None and not single["claimed"]
    assert t_interval([])["mean"] is None


def test_t_intervals_cover():
    """95 % intervals of four normal numbers hold their mean in 95 % of cases."""
    rng = np.random.default_rng(0)
    entries = [t_interval(rng.normal(1.0, 2.0, 4).tolist()) for _ in range(2000)]
    assert np.mean([e["low"] <= 1 <= e["high"] for e in entries]) == pytest.approx(0.95, abs=0.015)


def fake(run: Run, percent: float, alpha: float = 0.0, first: float = 0.1) -> dict:
    """A result whose rate is `percent` above a reference curve at every quality."""
    points = []
    for q in range(7):
        bpp = 0.1 * 2 ** (0.6 * q) * (1 + percent / 100)
        groups = [0.9 * bpp * share for share in (first, 0.2, 0.2, 0.25, 0.35 - first)]
        points.append({"quality": q, "bpp": bpp, "psnr": 26 + 2.0 * q, "bpp_z": 0.1 * bpp, "bpp_groups": groups})
    steps = BENCH.steps_of(run)
    return {"run": dataclasses.asdict(run), "steps": steps, "seconds": 60.0, "curve": points, "real": points,
            "objective": 0.0, "decode_seconds": {}, "sizes": [2, 8, 16, 27, 43], "fingerprint": "0",
            "measured_seconds": 6.0, "settings": dataclasses.asdict(BENCH.train_settings(run, alpha))}  # fmt: skip


def table(**percents: tuple) -> dict[str, dict]:
    """Fake results of k = 1.7: arm → a percentage per seed."""
    runs = {
        Run("k1.7", arm.replace("_", "-"), seed): p for arm, values in percents.items() for seed, p in enumerate(values)
    }
    return {run.name: fake(run, p) for run, p in runs.items()}


def test_alpha_is_chosen_from_the_results():
    found = {Run("k1.7", "plain", 4).name: fake(Run("k1.7", "plain", 4), 1.0)}
    for arm, percent in (("honest-0.05", 0.5), ("honest-0.2", -2.0), ("honest-1", 9.0)):
        assert choose_alpha(found) is None
        run = Run("k1.7", arm, 4)
        found[run.name] = fake(run, percent)
    choice = choose_alpha(found)
    assert choice["alpha"] == 0.2
    assert choice["bd_rate_percent"]["0.2"] == pytest.approx(100 * (0.98 / 1.01 - 1), abs=1e-6)


def test_comparisons_are_paired():
    """Seeds differ by far more than arms do; pairing finds the arm's +2 %, and no effect where the sign varies."""
    plain = (0.0, 30.0, -20.0, 10.0)
    off = lambda *more: tuple(100 * ((1 + p / 100) * (1 + m / 100) - 1) for p, m in zip(plain, more, strict=True))
    results = table(plain=plain, honest_constant=off(2.0, 2.1, 1.9, 2.0), released=off(3.0, -3.0, 2.0, -1.0),
                    longer=off(-8.0, -8.0, -8.0, -8.0))  # fmt: skip
    found = {(c["arm"], c["at"], c["rate"]): c for c in compare(results, BENCH)}
    constant, released = (found[arm, "equal steps", "estimated"] for arm in ("honest-constant", "released"))
    assert constant["n"] == 4 and constant["claimed"] and constant["mean"] == pytest.approx(2.0, abs=1e-6)
    assert not released["claimed"] and released["low"] < 0 < released["high"]
    assert found["honest-constant", "equal steps", "files"]["mean"] == pytest.approx(constant["mean"])
    # at equal time plain has log(1.5)/log(2) of the way to `longer`, in log-rate: 0.92^0.585
    timed = found["honest-constant", "equal time", "estimated"]
    assert timed["values"][0] == pytest.approx(100 * (1.02 / 0.92 ** (math.log(1.5) / math.log(2)) - 1), abs=1e-6)
    assert found["released", "equal time", "estimated"]["values"][0] == pytest.approx(100 * (1.03 / 0.92 - 1), abs=1e-6)


def test_between_curves():
    a, b = [(0.1, 30.0), (0.4, 36.0)], [(0.4, 32.0), (0.1, 36.0)]
    assert between(a, b, 0) == [pytest.approx(p) for p in a] and between(a, b, 1) == [pytest.approx(p) for p in b]
    assert between(a, b, 0.5) == [pytest.approx((0.2, 31.0)), pytest.approx((0.2, 36.0))]


def test_bits_moved_at_equal_rates():
    """Shares are compared at plain's rates: a curve that is shifted along itself moves nothing."""
    results = table(plain=(0.0, 0.0), honest_constant=(15.0, 25.0))
    assert [e["mean"] for e in moved(results, "k1.7", "honest-constant")] == pytest.approx([0] * 5, abs=1e-9)
    for seed, first in ((0, 0.15), (1, 0.13)):
        results[f"k1.7-honest-constant-s{seed}"] = fake(Run("k1.7", "honest-constant", seed), 0.0, first=first)
    entries = moved(results, "k1.7", "honest-constant")
    assert entries[0]["values"] == pytest.approx([5.0, 3.0]) and entries[4]["mean"] == pytest.approx(-4.0)
    assert ablation.shares_at(results["k1.7-plain-s0"], [0.2]).sum() == pytest.approx(100)
    ruled = {
        f"k1.7-{arm}-s{seed}": {"qualities": {"3": {"main": [1, 1, 1, 1, 1], "auxiliary": [1, 1 + gain, 1, 1, 1]}}}
        for arm, gain in (("plain", 0.1), ("honest-constant", 0.3)) for seed in range(2)
    }  # fmt: skip
    assert [e["mean"] for e in ablation.gains(ruled, "k1.7", "honest-constant")] == pytest.approx([0, 4, 0, 0, 0])
    assert ablation.gains({}, "k1.7", "released") == []


def test_summary_names_what_is_missing():
    summary = summarize(table(plain=(0.0,)), {}, BENCH)
    weak = {r.name for r in TABLE if r.family == "weak"}
    assert len(summary["missing"]) == len(TABLE) - len(weak) - 1 and not weak & set(summary["missing"])
    assert summary["alpha"] is None and summary["rule"] == BENCH.rule
    apart = summarize({"weak-plain-s0": fake(Run("weak", "plain", 0), 0.0)}, {}, BENCH)  # another plan's
    assert set(apart["missing"]) == weak - {"weak-plain-s0"}
    both = summarize(table(plain=(0.0,)) | {"weak-plain-s0": fake(Run("weak", "plain", 0), 0.0)}, {}, BENCH)
    assert len(both["missing"]) == len(TABLE) - 2
    json.dumps(summary)


# ---- runs -----------------------------------------------------------------------------------------------------------


def test_stale_results_are_refused(tmp_path):
    run = Run("k1.7", "plain", 0)
    assert stored(tmp_path, run, BENCH, None) is None
    (tmp_path / f"{run.name}.json").write_text(json.dumps(fake(run, 0.0)))
    assert stored(tmp_path, run, BENCH, None)["steps"] == 4
    with pytest.raises(CcaError, match="remove it"):
        stored(tmp_path, run, dataclasses.replace(BENCH, steps=5), None)
    (tmp_path / f"{run.name}.json").write_text("{}")
    with pytest.raises(CcaError, match="not the result"):
        stored(tmp_path, run, BENCH, None)


@pytest.mark.slow
def test_an_ablation_end_to_end(folder, tmp_path, capsys, monkeypatch):
    """Two steps a run on small photographs: skipped when done, α* chosen, then the arm that waited, then its rulers."""
    from ccalib.evaluation import ablation_runs
    from ccalib.training.data import load_photos, split

    two = Fit(models=("main", "auxiliary"), steps=2, rounds=1, batch=2, crop=64, warmup=1)
    monkeypatch.setattr(arms.measure_bench, "__defaults__", (2, 1))
    monkeypatch.setattr(ablation_runs.rule_run, "__defaults__", ((two, two, two),))
    results = tmp_path / "data" / "ablation"
    base = ["--photos", str(folder), "--validation", str(folder / "held.txt"), "--samples", str(folder), "--quiet"]
    base += ["--results", str(results), "--runs", str(tmp_path / "runs"), "--keep", str(tmp_path / "keep")]
    base += ["--cache", str(tmp_path / "cache")]
    assert main(["ablation", "no-such", *base]) == 1 and "k1.7-plain-s0" in capsys.readouterr().err
    assert main(["ablation", "--list", *base]) == 0 and "no plan yet" in capsys.readouterr().out
    assert main(["ablation", "k1.7-plain-s4", *base]) == 1 and "--minutes" in capsys.readouterr().err
    assert main(["ablation", "k1.7-plain-s4", *base, "--steps", "2", "--settings", '{"loss": "x"}']) == 1
    assert main(["ablation", "k1.7-plain-s4", *base, "--steps", "-3"]) == 1 and not (results / "plan.json").exists()
    for settings, why in (("[1]", "--settings: a JSON object"), ('{"batch": 0}', "--batch: at least 1")):
        assert main(["ablation", "k1.7-plain-s4", *base, "--steps", "2", "--settings", settings]) == 1
        assert why in capsys.readouterr().err
    steps = [*base, "--steps", "2", "--settings", json.dumps(SMALL_STEPS)]
    assert main(["ablation", "k1.7-honest-constant-s0", *steps]) == 0 and "waits for alpha*" in capsys.readouterr().out
    assert main(["ablation", "k1.7-*-s4", *base]) == 0
    capsys.readouterr()
    assert main(["ablation", "k1.7-plain-s4", *base]) == 0 and "nothing to train" in capsys.readouterr().out
    plan = results / "plan.json"
    own = plan.read_text()
    assert Bench.load(plan).photographs
    plan.write_text(json.dumps(json.loads(own) | {"photographs": "others"}))
    assert main(["ablation", "k1.7-*-s4", *base]) == 1 and "other photographs" in capsys.readouterr().err
    plan.write_text(own)
    written = {p.name: p.stat().st_mtime_ns for p in results.iterdir()}
    assert main(["ablation", "k1.7-*-s4", "k1.7-plain-s0", "k1.7-honest-constant-s0", *base]) == 0
    assert all((results / name).stat().st_mtime_ns == at for name, at in written.items())
    out = capsys.readouterr().out
    assert "honest-constant against k1.7-plain, equal steps" in out and "n = 1: no effect claimed" in out

    bench = Bench.load(results / "plan.json")
    assert (
        bench.steps == 2 and bench.rule == arms.RULE and set(bench.seconds_per_step) == {"plain", "honest", "released"}
    )
    found, alpha = load_results(bench, results)
    assert len(found) == 6 and found["k1.7-honest-constant-s0"]["settings"]["alpha"] == alpha
    honest = found["k1.7-honest-constant-s0"]
    assert len(honest["curve"]) == len(honest["real"]) == 7 and honest["decode_seconds"]["median"] > 0
    assert (
        len(honest["training_auxiliary"][0]["auxiliary"]) == 5 and found["k1.7-plain-s0"]["training_auxiliary"] is None
    )
    assert [e["step"] for e in honest["trace"]] == [1, 2] and "gap" in honest["trace"][0]
    for estimated, real in zip(
        honest["curve"], honest["real"], strict=True
    ):  # 60–80 bytes of headers on small pictures
        assert 0 < real["bpp"] - estimated["bpp"] < 8 * 150 / (128 * 64)
    assert (tmp_path / "keep/k1.7-plain-s0.safetensors").exists()
    assert json.loads((results.with_suffix(".json")).read_text())["alpha"]["alpha"] == alpha
    assert main(["ablation", "--list", *base]) == 0 and f"6 of {len(TABLE)} done" in capsys.readouterr().out
    for other in (["--steps", "3"], ["--settings", '{"lr": [1]}']):
        assert main(["ablation", *base, *other]) == 1 and "has fixed 2 steps" in capsys.readouterr().err

    assert main(["ablation", "k1.7-plain-s0", "--rulers", *base]) == 0
    ruled = json.loads((results / "k1.7-plain-s0.rulers.json").read_text())
    assert len(ruled["bought"]["3"]) == 5 and ruled["card"]["steps"] == 2 and ruled["card"]["steps_in_all"] == 6
    track = json.loads((results / "k1.7-plain-s0.track.json").read_text())
    assert [entry["step"] for entry in track] == [0, 1] and {p["quality"] for p in track[0]["points"]} == {1, 3, 5}

    train, validation = split(folder, folder / "held.txt")
    photos, few = (load_photos(files, tmp_path / "cache", 64, False) for files in (train, validation))
    place = Place(photos, few, [], results, tmp_path / "runs", False)
    again = json.loads(json.dumps(rule_run(Run("k1.7", "plain", 0), place, (two, two, two))))
    assert again == [ruled, track]  # from its checkpoints: the same
    rulers = results / "k1.7-plain-s0.rulers.json"
    rulers.write_text("{")
    capsys.readouterr()
    assert main(["ablation", "k1.7-plain-s1", *base]) == 1 and "rulers.json: cannot be read" in capsys.readouterr().err
    rulers.write_text(json.dumps(ruled | {"fingerprint": "0" * 16}))
    assert main(["ablation", "k1.7-plain-s1", *base]) == 1
    said = capsys.readouterr()
    assert "rulers.json: of other weights than k1.7-plain-s0.json" in said.err and "k1.7-plain-s1" not in said.out
    assert track[0]["card"]["first_group_errors"] != track[1]["card"]["first_group_errors"]


def test_what_another_process_finished_meanwhile_is_left_alone(tmp_path, monkeypatch):
    """Both choose their runs at the beginning; the lock of a run can be had when the other is done with it."""
    from ccalib.evaluation import ablation_command, ablation_runs

    run, place = Run("k1.7", "plain", 0), Place([], [], [], tmp_path, tmp_path, False)

    @contextlib.contextmanager
    def late(folder):
        place.result(run, ".rulers").write_text("{}")
        yield True

    monkeypatch.setattr(ablation_command, "held", late)
    monkeypatch.setattr(ablation_runs, "weights_of", lambda place, run: tmp_path)
    monkeypatch.setattr(ablation_runs, "rule_run", lambda *_: pytest.fail("fitted again"))
    ablation_command._rule([run], None, place, tmp_path)
    assert place.result(run, ".rulers").read_text() == "{}"
