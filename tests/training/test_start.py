import dataclasses
import json

import pytest
import torch

from ccalib import CcaError, weights
from ccalib.model.hyper import BLOCK
from ccalib.model.presets import TINY
from ccalib.model.transforms import PATCH
from ccalib.training.data import patches
from ccalib.training.export import carry_history, note_command
from ccalib.training.loop import Trainer
from ccalib.training.schedule import plan_for
from ccalib.training.settings import Settings
from ccalib.training.start import HYPER_SHARE, from_weights, new_codec


def test_z_starts_as_the_klt_of_the_first_group(photos):
    """Untrained, z predicts the first group: most of its variance is in the means, and scales fit what is left."""
    codec = new_codec(TINY, photos, 0).eval()
    first = TINY.sizes[0]
    blocks = patches(photos, 200, 9, PATCH * BLOCK).view(-1, 3, PATCH * BLOCK, PATCH * BLOCK)
    with torch.inference_mode():
        quality = torch.full((len(blocks),), TINY.qualities / 2)
        y = codec.analyze(blocks, quality)
        z_hat = torch.round(codec.hyper_analyze(y))
        hyper = codec.path.h_s(z_hat)
        mean, log_scale, _ = codec.path.groups.contexts[0](hyper, [])
        left = y[:, :first] - mean
    assert left.var() < 0.3 * y[:, :first].var()
    used = (z_hat != 0).any(dim=0).flatten().sum().item()
    assert used <= 2 * round(HYPER_SHARE * first * BLOCK**2)  # the others wait at zero
    ratio = left.std(dim=(0, 2, 3)) / log_scale.exp().mean(dim=(0, 2, 3))
    assert (ratio > 0.4).all() and (ratio < 2.5).all()


def test_a_klt_beside_split_contexts_is_refused(photos):
    split = dataclasses.replace(TINY, split_context=True, hyper_klt=False)
    with pytest.raises(CcaError, match="klt=false"):
        new_codec(split, photos, 0)
    new_codec(dataclasses.replace(split, klt=False), photos, 0)


def test_the_same_seed_gives_the_same_start(photos):
    a, b = (new_codec(TINY, photos, seed).state_dict() for seed in (3, 3))
    assert all(torch.equal(a[n], b[n]) for n in a)
    other = new_codec(TINY, photos, 4).state_dict()
    assert not torch.equal(a["g_a.down.0.weight"], other["g_a.down.0.weight"])


@pytest.mark.parametrize("loss", ["plain", "honest", "released"])
def test_finished_weights_are_a_start(model, photos, tmp_path, loss):
    settings = Settings(batch=2, crop=64, warmup=2, loss=loss, ema=0.9)
    state = from_weights(model, dataclasses.asdict(settings))
    trainer = Trainer(tmp_path, TINY, photos, settings, plan=plan_for(2, 1, 0.5), state=state, progress=False)
    stored = dict(weights.load(model).named_parameters())
    for codec in (trainer.objective.codec, trainer.averaged()):
        started = {n: p for n, p in codec.named_parameters() if not n.startswith("auxiliary.")}
        assert started.keys() == stored.keys()
        assert all(torch.equal(p, stored[n]) for n, p in started.items())
    trained = trainer.train()
    assert trainer.step == 2 and not torch.equal(trained.g_a.down[0].weight, stored["g_a.down.0.weight"])


def test_finished_weights_bring_their_history(model, photos, tmp_path):
    """A run that goes on from weights counts on from their steps and minutes, and carries their log and commands."""
    path = tmp_path / "finished.safetensors"
    weights.save(weights.load(model), path, {"steps": 500, "minutes": 7.5, "commands": ["ccalib train a"]})
    path.with_suffix(".log.jsonl").write_text('{"kind": "train", "step": 450}\n')
    run = tmp_path / "run"
    run.mkdir()
    carry_history(path, run)
    settings = Settings(batch=2, crop=64, warmup=2)
    state = from_weights(path, dataclasses.asdict(settings))
    trainer = Trainer(run, TINY, photos, settings, minutes=1.0, state=state, progress=False)
    assert (trainer.step, trainer.seconds, trainer.first) == (500, 450, 500)
    assert trainer._rate() == 0.5  # a new optimizer warms up, before a plan is made and in it
    trainer.plan = plan_for(2, 2, 0.0, 500, cold=trainer.cold)
    trainer.train()
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == [450] and (run / "commands.txt").read_text() == "ccalib train a\n" and trainer.seconds > 450


def test_commands_say_which_machine_took_which_steps(model, tmp_path, monkeypatch):
    path, run = tmp_path / "finished.safetensors", tmp_path / "run"
    facts = {"steps": 500, "minutes": 7.5, "commands": ["ccalib train a"], "hardware": "an abacus", "torch": "0"}
    weights.save(weights.load(model), path, facts)
    run.mkdir()
    carry_history(path, run)
    for machine, step, resume in (("one", 500, False), ("one", 600, True), ("two", 700, True), ("two", 800, True)):
        monkeypatch.setattr("ccalib.training.export.hardware", lambda machine=machine: machine)
        note_command(run, ["train", "my photos", *(["--resume"] if resume else [])], step, resume)
    assert (run / "commands.txt").read_text().splitlines() == [
        "ccalib train a  # to step 500 on an abacus, torch 0",
        f"ccalib train 'my photos'  # from step 500 on one, torch {torch.__version__}",
        f"ccalib train 'my photos' --resume  # from step 700 on two, torch {torch.__version__}",
    ]


def test_a_start_that_is_none_is_named(tmp_path):
    with pytest.raises(CcaError, match="none.safetensors"):
        from_weights(tmp_path / "none.safetensors", {})


def test_commands_of_what_a_run_did_not_go_on_from_are_left_out(tmp_path):
    """A start that died before its first checkpoint; what another run did after the checkpoint that this forks from."""
    note_command(tmp_path, ["train", "--lr", "1"], 0, False)
    note_command(tmp_path, ["train"], 0, False)
    (again,) = (tmp_path / "commands.txt").read_text().splitlines()
    assert again.startswith("ccalib train  # from step 0")
    with open(tmp_path / "commands.txt", "a") as file:
        file.write("ccalib train --resume  # from step 9,000 on another\n")
    note_command(tmp_path, ["train", "fork"], 7000, False)
    first, last = (tmp_path / "commands.txt").read_text().splitlines()
    assert first == again and last.startswith("ccalib train fork  # from step 7,000")
