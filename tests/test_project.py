"""The project's shell: what is promised about versions, targets, images, lists and files holds."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from PIL import Image

from ccalib import weights

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "data" / "images"
PYTHONS = ("3.10", "3.11", "3.12")
KEPT_OUT = {".git", ".venv", "runs", "build", "dist", "node_modules"}


def project_files() -> list[Path]:
    """The files of the repository: what git tracks or would track, or all but caches where there is no git."""
    if shutil.which("git") and (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True)
        if listed.returncode == 0:
            return [ROOT / name for name in listed.stdout.decode().split("\0") if (ROOT / name).is_file()]
    paths = (p for p in ROOT.rglob("*") if p.is_file())
    return [p for p in paths if not KEPT_OUT & set(p.relative_to(ROOT).parts) and "__pycache__" not in p.parts]


def requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return [Requirement(line) for line in project["dependencies"] + extras]


def pins(python: str) -> dict[str, str]:
    """The pinned version of each package of constraints.txt that applies to a Python version."""
    environment = {"python_version": python, "python_full_version": f"{python}.9"}
    found: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(environment):
            name = canonicalize_name(pin.name)
            (version,) = pin.specifier
            assert version.operator == "==", line
            assert name not in found, f"{name} is pinned twice for Python {python}"
            found[name] = version.version
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_satisfy_the_project(python):
    pinned = pins(python)
    for requirement in requirements():
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(Version(pinned[name])), f"{requirement} but {name}=={pinned[name]}"


def test_every_make_target_has_a_help_line():
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY:(.*)$", makefile, re.M).group(1).split())
    targets = dict(re.findall(r"^(\.?[a-z-]+):(?!=)(.*)$", makefile, re.M))
    assert phony == set(targets) and {"help", "lab", "test", "notebooks"} <= phony
    for name, rest in targets.items():
        assert re.search(r"## \w.+", rest), f"make {name} has no help line"


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_alone_lists_the_targets():
    run = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    printed = run.stdout
    for name in ("make lab", "make test", "make notebooks", "make train"):
        assert name in printed


def photographs() -> list[Path]:
    return sorted(p for p in IMAGES.iterdir() if p.suffix.lower() in {".png", ".jpg", ".jpeg"})


def test_images_are_few_small_and_attributed():
    assert 6 <= len(photographs()) <= 10
    assert sum(p.stat().st_size for p in photographs()) <= 5_000_000
    table = [line for line in (IMAGES / "LICENSES.md").read_text("utf-8").splitlines() if line.startswith("|")]
    rows = {row.split("|")[1].strip(" `"): row for row in table}
    for path in photographs():
        row = rows[path.name]
        width, height = Image.open(path).size
        assert f"{width}×{height}" in row
        assert re.search(r"CC BY 4\.0|CC0 1\.0|public domain", row), f"{path.name}: no license"
        assert re.search(r"SHA-256 `[0-9a-f]{64}`", row), f"{path.name}: no source"


def test_the_thread_and_its_latents():
    thread = json.loads((IMAGES / "thread.json").read_text())
    image = Image.open(IMAGES / thread["file"])
    assert image.format == "PNG" and image.mode == "RGB"
    assert image.width % 64 == 0 and image.height % 64 == 0
    assert list(thread["latents"]) == ["sky", "edge", "texture"]
    spread = {}
    for name, (column, row) in thread["latents"].items():
        assert 0 <= column < image.width // 16 and 0 <= row < image.height // 16
        cell = image.convert("L").crop((16 * column, 16 * row, 16 * column + 16, 16 * row + 16))
        values = list(cell.tobytes())
        mean = sum(values) / len(values)
        spread[name] = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
    assert spread["sky"] < 3 < 8 < spread["texture"] < spread["edge"], spread


def test_validation_photographs():
    weights = ROOT / "data" / "weights"
    lines = (weights / "validation.txt").read_text().splitlines()
    names = [line for line in lines if not line.startswith("#")]
    rows = [line.split("\t") for line in (weights / "MANIFEST.tsv").read_text("utf-8").splitlines()]
    source = {row[0]: row[rows[0].index("source")] for row in rows[1:]}
    assert len(names) == len(set(names)) == 64
    assert set(names) <= set(source)
    for name in set(source.values()):
        here = sum(s == name for s in source.values())
        chosen = sum(source[n] == name for n in names)
        assert abs(chosen - 64 * here / len(source)) < 1, f"{name}: {chosen} of {here}"


def test_no_registry_host_is_named():
    hosts = [".".join(parts) for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("download", "pytorch", "org"), ("registry", "npmjs", "org"),
        ("conda", "anaconda", "org"), ("deb", "debian", "org"), ("archive", "ubuntu", "com"),
    )]  # fmt: skip
    pattern = re.compile("|".join(map(re.escape, hosts)) + r"|--(?:extra-)?index-url", re.I)
    named = []
    for path in project_files():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:  # text
            found = pattern.findall(content.decode("utf-8", "replace"))
            named += [f"{path.relative_to(ROOT)}: {host}" for host in found]
    assert not named


def test_no_package_file_is_long():
    files = [p for p in (ROOT / "ccalib").rglob("*") if p.suffix in {".py", ".js", ".css"}]
    lengths = {p: len(p.read_text("utf-8").splitlines()) for p in files}
    assert lengths, "no package files found"
    assert not {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > 300}


@pytest.mark.parametrize("name", ["chromium", "google-chrome"])
def test_ci_finds_the_chromium_that_there_is(name, tmp_path):
    finder = re.search(r"^(\w+)\(\) \{ command -v chromium.*$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    script = ["/bin/bash", "-c", f"{finder[0]}\n{finder[1]}"]
    assert subprocess.run(script, env={"PATH": str(tmp_path)}).returncode != 0
    (tmp_path / name).write_text("")
    (tmp_path / name).chmod(0o755)
    found = subprocess.run(script, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True).stdout
    assert found.strip() == str(tmp_path / name)


def test_results_are_of_the_weights_that_ship():
    """README and lessons quote them as `small`'s."""
    own = weights.metadata(ROOT / "data/weights/small.safetensors")["fingerprint"]
    found = {name: json.loads((ROOT / f"data/results/{name}.json").read_text())
             for name in ("complexity", "dead_zone", "effort", "fuzz", "kodak", "rulers_small", "symbols")}  # fmt: skip
    of = {name: found[name]["fingerprint"] for name in ("dead_zone", "symbols")}
    of |= {name: found[name]["settings"]["ccalib"]["fingerprint"] for name in ("effort", "kodak")}
    parts = json.loads((ROOT / "data/results/speed.json").read_text())["parts"]
    of |= {"speed": parts["small"]["weights"], "bf16": parts["bf16"]["weights"]["small"]}
    of["complexity"] = found["complexity"]["presets"]["small"]["weights"]
    of["fuzz"], of["rulers_small"] = found["fuzz"]["settings"]["weights"], found["rulers_small"]["codec"]["fingerprint"]
    assert of == dict.fromkeys(of, own)
