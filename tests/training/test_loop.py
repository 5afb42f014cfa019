"""Resume equals uninterrupted, kill -9 loses at most an interval, several processes agree."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ccalib import CcaError, weights
from ccalib.cli import main
from ccalib.files.lock import held
from ccalib.model.presets import TINY
from ccalib.training import checkpoint
from ccalib.training.data import Crops, load_photos, split
from ccalib.training.loop import Stopped, Trainer
from ccalib.training.schedule import Plan, plan_for
from ccalib.training.settings import Settings
from ccalib.training.start import from_weights
from tests.conftest import DATA

FAST = Settings(batch=2, crop=64, warmup=2, log_every=2, ema=0.9)
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
COMMAND = ["train", str(DATA / "images"), "--preset", "tiny", "--batch", "2", "--crop", "64"]
COMMAND += ["--log-every", "1", "--quiet"]


def make(photos, run: Path, settings=FAST, steps=8, **options) -> Trainer:
    return Trainer(run, TINY, photos, settings, plan=plan_for(steps, 2, 0.25), progress=False, **options)


def equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return all(map(equal, a, b)) if isinstance(a, (list, tuple)) else a == b


@pytest.mark.parametrize("loss", ["plain", "honest"])
def test_resuming_equals_going_on_bit_for_bit(photos, tmp_path, loss):
    settings = Settings(**{**FAST.__dict__, "loss": loss, "alpha": 0.5})
    whole = make(photos, tmp_path / "whole", settings)
    whole.train()

    first = make(photos, tmp_path / "parts", settings)
    step = first._step

    def interrupted():
        if first.step == 3:
            first._signal = signal.SIGINT
        return step()

    first._step = interrupted
    with pytest.raises(Stopped, match="step 4"):
        first.train()
    second = make(photos, tmp_path / "parts", settings, state=checkpoint.load(tmp_path / "parts/last.pt"), resume=True)
    assert second.step == 4
    second.train()
    a, b = whole.state(), second.state()
    for key in ("objective", "average", "optimizers", "step"):
        assert equal(a[key], b[key]), key
    logs = [
        [json.loads(x) for x in (tmp_path / run / "log.jsonl").read_text().splitlines()] for run in ("whole", "parts")
    ]
    assert [e["loss"] for e in logs[0]] == [e["loss"] for e in logs[1]]


def test_the_constant_phase_is_kept_and_can_be_decayed_from(photos, tmp_path):
    trainer = make(photos, tmp_path / "a")
    trainer.train()
    state = checkpoint.load(tmp_path / "a/constant.pt")
    assert state["step"] == 6
    branch = Trainer(
        tmp_path / "b", TINY, photos, FAST, plan=plan_for(4, 2, 0.25, 6, constant=False), state=state, progress=False
    )
    branch.train()
    rates = [json.loads(x)["lr"] for x in (tmp_path / "b/log.jsonl").read_text().splitlines()]
    assert branch.step == 10 and rates == [pytest.approx(FAST.lr / 2), 0]


@pytest.mark.parametrize("loss", ["honest", "released"])
def test_another_loss_forks_from_a_checkpoint(photos, tmp_path, loss):
    make(photos, tmp_path / "a").train()
    state = checkpoint.load(tmp_path / "a/constant.pt")
    settings = Settings(**{**FAST.__dict__, "loss": loss, "alpha": 0.5})
    plan = plan_for(2, 2, 0.5, 6)
    fork = Trainer(tmp_path / "b", TINY, photos, settings, plan=plan, state=state, progress=False)
    for name, value in fork.objective.codec.state_dict().items():
        if not name.startswith("auxiliary."):  # that starts anew
            assert torch.equal(value, state["objective"][f"codec.{name}"])
    for codec in (fork.objective.codec, fork.averaged()):  # from the constants of the model that it is compared with
        mains = fork.objective.codec.path.groups.contexts
        for own, other in zip(codec.auxiliary.groups.contexts, mains, strict=True):
            assert torch.equal(own.head[-1].bias, other.head[-1].bias) and own.head[-1].bias.any()
    fork.train()
    assert fork.step == 8


def test_a_fork_to_another_loss_keeps_nothing_of_the_auxiliary_model(photos, tmp_path):
    """Split contexts have parameters that no layer draws anew (the NAF blocks' factors)."""
    shape = {"split_context": True, "klt": False, "hyper_klt": False, "hyper_out": TINY.latent}
    preset = dataclasses.replace(TINY, name="split", **shape)
    settings = Settings(**{**FAST.__dict__, "loss": "honest", "alpha": 0.5})
    first = Trainer(tmp_path / "a", preset, photos, settings, plan=plan_for(2, 2, 0.5), progress=False)
    first.train()
    released = dataclasses.replace(settings, loss="released")
    options = {"plan": plan_for(2, 2, 0.5, 2), "state": first.state(), "progress": False}
    fork = Trainer(tmp_path / "b", preset, photos, released, **options)
    trained = dict(first.objective.codec.named_parameters())
    own = {n: p for n, p in fork.objective.codec.auxiliary.named_parameters() if p.any() and not n.endswith("bias")}
    assert len(own) > 20
    assert [n for n, p in own.items() if torch.equal(p, trained.get(f"auxiliary.{n}", p + 1))] == []


@pytest.mark.parametrize("more", [["--optimizer", "muon"], ["--loss", "released"], ["--lr", "1e-4"]])
def test_a_new_optimizer_warms_up(photos, tmp_path, more):
    """Other parameters in a group are another optimizer; another rate isn't."""
    make(photos, tmp_path / "a", dataclasses.replace(FAST, log_every=1)).train()
    begin = ["--continue-from", str(tmp_path / "a/constant.pt"), "--steps", "30", "--run", str(tmp_path / "b")]
    line = [*COMMAND, *begin, "--cache", str(tmp_path / "cache"), "--warmup", "4", *more]
    assert main(line) == 0
    rates = [e["lr"] for e in map(json.loads, (tmp_path / "b/log.jsonl").read_text().splitlines()) if e["step"] > 6]
    assert (rates[0] < rates[10]) == ("--lr" not in more)


def test_a_damaged_checkpoint_is_named(tmp_path):
    for content in (b"", b"PK\x03\x04 rubbish"):
        (tmp_path / "last.pt").write_bytes(content)
        with pytest.raises(CcaError, match="last.pt"):
            checkpoint.load(tmp_path / "last.pt")
    with pytest.raises(CcaError, match="no such"):
        checkpoint.load(tmp_path / "none.pt")


def test_training_lowers_the_loss_and_its_weights_code(photos, tmp_path, picture):
    from ccalib import decode, encode

    settings = Settings(**{**FAST.__dict__, "lr": 2e-3, "batch": 4, "log_every": 10})
    trainer = make(photos, tmp_path, settings, steps=60)
    codec = trainer.train()
    losses = [json.loads(x)["loss"] for x in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert min(losses[-2:]) < losses[0]
    weights.save(codec, tmp_path / "tiny.safetensors")
    data = encode(picture, 3, tmp_path / "tiny.safetensors")
    assert decode(data, model=tmp_path / "tiny.safetensors").size == picture.size


def test_a_validation_says_which_photographs(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("ccalib.training.loop.validate", lambda codec, photos, progress: {"images": len(photos)})
    make(photos, tmp_path, steps=2, validation=photos).train()
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    last = [entry for entry in entries if entry["kind"] == "validation"][-1]
    assert (last["step"], last["images"], last["photographs"]) == (2, len(photos), photos.fingerprint)


def start(run: Path, cache: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "ccalib", *COMMAND, "--run", str(run), "--cache", str(cache), *more]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise AssertionError(process.stdout.read())
        time.sleep(0.05)


def lines(run: Path) -> int:
    return len((run / "log.jsonl").read_text().splitlines()) if (run / "log.jsonl").exists() else 0


@pytest.mark.slow
def test_kill_9_and_resume(model, tmp_path, capsys):
    run, cache = tmp_path / "run", tmp_path / "cache"
    begin = ("--continue-from", str(model), "--steps", "2000", "--checkpoint-minutes", "0.01")
    process = start(run, cache, *begin)
    wait_for(lambda: (run / "last.pt").exists() and lines(run) > 3, process)
    process.kill()
    process.wait()
    at = checkpoint.load(run / "last.pt")["step"]
    assert at >= 1

    again = start(run, cache, "--resume")
    wait_for(lambda: lines(run) > at + 3, again)
    again.send_signal(signal.SIGINT)  # Ctrl-C: a checkpoint, a hint, exit code 130
    output = again.communicate(timeout=60)[0]
    assert again.returncode == 130 and "--resume" in output, output
    steps = [json.loads(x)["step"] for x in (run / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))
    assert checkpoint.load(run / "last.pt")["step"] == len(steps)

    assert main([*COMMAND, "--run", str(run), "--cache", str(cache), "--resume", "--lr", "0.5"]) == 1
    assert "--resume goes on with the run's own settings" in capsys.readouterr().err
    for length in (["--minutes", "77"], ["--steps", "77"]):
        assert main([*COMMAND, "--run", str(run), "--cache", str(cache), "--resume", *length]) == 1
        assert "the run's own length" in capsys.readouterr().err
    (tmp_path / "held.txt").write_text("fig.png\n")
    more = ["--validation", str(tmp_path / "held.txt")]
    assert main([*COMMAND, "--run", str(run), "--cache", str(cache), "--resume", *more]) == 1
    assert "the same folder and --validation" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_as_one(model, tmp_path):
    """`accelerate launch` with two CPU processes: each sees half of a batch; they step along their mean gradient."""
    # --multi_gpu is what makes `accelerate launch` start several processes without MPI; without a GPU they use gloo
    launch = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "-m", "ccalib"]
    options = ["--run", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--steps", "4"]
    options += ["--loss", "honest", "--alpha", "0.5", "--bf16", "off", "--continue-from", str(model), "--seed", "1"]
    command = [sys.executable, "-m", *launch, *COMMAND, *options]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "run/tiny.safetensors").exists()
    entries = [json.loads(x) for x in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in entries if e["kind"] == "train"] == [1, 2, 3, 4]
    state = checkpoint.load(tmp_path / "run/last.pt")
    assert state["processes"] == 2

    photos = load_photos(split(DATA / "images", None)[0], tmp_path / "cache", 64, progress=False)
    settings = Settings(batch=2, crop=64, log_every=1, loss="honest", alpha=0.5, seed=1)
    norms = {}
    for those in ((0, 1), (0,), (1,)):  # of the first step: later ones amplify every last digit
        begin = {"plan": Plan(**state["plan"]), "state": from_weights(model, dataclasses.asdict(settings))}
        trainer = Trainer(tmp_path / "one", TINY, photos, settings, **begin, progress=False)
        crops = Crops(photos, TINY, 64, 2, settings.seed, processes=2)

        def mean(x, quality, alpha, trainer=trainer, crops=crops, those=those):
            totals = [trainer.objective(*crops.at(0, process), alpha) for process in those]
            return sum(total for total, _ in totals) / len(those), totals[0][1]

        trainer.objective.train()
        trainer.wrapped = mean
        norms[those] = trainer._step()[1]
    logged = next(e["norm"] for e in entries if e["step"] == 1)
    assert logged == pytest.approx(norms[0, 1], rel=1e-3)
    assert all(abs(norms[one] / logged - 1) > 0.05 for one in ((0,), (1,)))


def test_a_stop_before_the_plan_keeps_the_warm_up(photos, tmp_path):
    """Minutes become steps after 30 of them; until then a checkpoint says where the run began, and how."""
    trainer = Trainer(tmp_path / "a", TINY, photos, FAST, minutes=1.0, progress=False)
    rates = [trainer._rate()]
    trainer.step = 1
    trainer.save()
    rates.append(trainer._rate())
    again = Trainer(
        tmp_path / "a", TINY, photos, FAST, minutes=1.0, state=checkpoint.load(tmp_path / "a/last.pt"), resume=True,
        progress=False,
    )  # fmt: skip
    assert rates == [pytest.approx(0.5), 1.0] and again._rate() == 1.0
    again.step = 0
    assert again._rate() == rates[0]
    again.first, again.step, again._timed = 0, 30, 0.0
    again._plan(30.0)
    assert again.plan.start == 0 and again.plan.warmup > 0


def test_options_that_make_no_sense(tmp_path, capsys):
    base = [*COMMAND, "--run", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    for more, word in (
        ([], "--minutes"),
        (["--steps", "2", "--preset", "huge"], "--preset"),
        (["--steps", "2", "--loss", "kind"], "--loss"),
        (["--steps", "2", "--crop", "100"], "--crop"),
        (["--resume"], "no such checkpoint"),
        (["--steps", "0"], "--steps: at least 1"),
        (["--steps", "2", "--export", "."], "--export: the name of a file"),
        (["--minutes", "nan"], "--minutes: above 0"),
        (["--minutes", "-1"], "--minutes: above 0"),
        (["--steps", "2", "--threads", "-1"], "--threads: at least 1"),
        (["--steps", "2", "--batch", "0"], "--batch: at least 1"),
        (["--steps", "2", "--log-every", "0"], "--log-every: at least 1"),
        (["--steps", "2", "--seed", "-1"], "--seed: from 0"),
        (["--steps", "2", "--lr", "nan"], "--lr: a number"),
    ):
        assert main([*base, *more]) == 1
        assert word in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    rulers = tmp_path / "rulers.pt"
    checkpoint.save(rulers, {"origin": {}, "rulers": {}})
    assert main([*base, "--steps", "2", "--continue-from", str(rulers)]) == 1
    assert "rulers.pt: a checkpoint, but not of `ccalib train`" in capsys.readouterr().err


def test_one_process_trains_in_a_folder(tmp_path, capsys):
    base = [*COMMAND, "--run", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--steps", "1"]
    with held(tmp_path / "run") as mine:
        assert mine and main(base) == 1
        assert "another process trains there" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_end_of_the_decay_trains_only_what_a_decoder_has(photos, tmp_path):
    """From the freeze on y and z stay, and the rate is that of rounded latents: the same whatever the noise."""
    settings = Settings(**{**FAST.__dict__, "freeze": 0.5})
    trainer = Trainer(tmp_path, TINY, photos, settings, plan=Plan(2, 2, 6), progress=False)
    codec, seen = trainer.objective.codec, []
    step = trainer._step

    def watched():
        seen.append({name: p.detach().clone() for name, p in codec.named_parameters()})
        return step()

    trainer._step = watched
    trainer.train()
    before, after = seen[4], dict(codec.named_parameters())  # frozen from step 4 on
    moved = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    analysis = ("g_a.", "klt.analysis.", "h_a.", "hyper_klt.", "gains.log_gain")
    assert all(torch.equal(before[name], after[name]) for name in after if name.startswith(analysis))
    assert {"g_s", "path"} <= moved
    assert any(not torch.equal(seen[2][name], seen[3][name]) for name in after if name.startswith("g_a."))  # till then
    x, quality = trainer.crops.at(0)
    rates = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        rates.append(trainer.objective.train()(x, quality)[1]["loss"])
    assert torch.equal(*rates)
