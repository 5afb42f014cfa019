"""A Chromium and a JupyterLab for the browser tests: one of each, started when first asked for.

    CCALIB_BROWSER=1 python -m pytest tests/browser        (needs playwright and a Chromium; CCALIB_CHROMIUM names it)

Screenshots go to $CCALIB_SHOTS (default: pytest's temporary folder).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="session")
def shots(tmp_path_factory) -> Path:
    folder = Path(os.environ.get("CCALIB_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        named = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
        path = os.environ.get("CCALIB_CHROMIUM") or next(filter(None, named), None)
        assert path, "no Chromium found: install one (Debian: apt install chromium), or name yours in CCALIB_CHROMIUM"
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> str:
    """Address of a JupyterLab of its own on a free port, in a folder with copies of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(notebook, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR")}
    own["OMP_NUM_THREADS"] = "1"  # two threads would wait for one another on two cores that have more to do
    settings = folder / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--IdentityProvider.token=",
               f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True", "--allow-root"]  # fmt: skip
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=subprocess.STDOUT)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    else:
        raise RuntimeError((folder / "lab.log").read_text()[-2000:])
    yield f"http://127.0.0.1:{port}/lab/tree/"
    server.terminate()
    server.wait(30)
