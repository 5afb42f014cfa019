"""One process at a time."""

import fcntl
import json
import os
import subprocess
import sys

import pytest

from ccalib import CcaError
from ccalib.files.lock import changing, held, writing


def test_a_folder_is_held_once(tmp_path):
    with held(tmp_path / "run") as mine, held(tmp_path / "run") as other:
        assert mine and not other
    with held(tmp_path / "run") as mine:
        with held(tmp_path / "run") as other:
            assert mine and not other
        assert (tmp_path / "run").exists()  # who was refused leaves it to its holder
    assert not (tmp_path / "run").exists()  # nothing was put there
    with held(tmp_path / "run") as again:
        assert again
        (tmp_path / "run/x").touch()
    assert (tmp_path / "run/x").exists()


def test_a_hold_ends_with_its_process(tmp_path):
    code = "import sys, os, signal; from pathlib import Path; from ccalib.files.lock import held\n"
    code += "with held(Path(sys.argv[1])) as mine: os.kill(os.getpid(), signal.SIGKILL if mine else 0)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == -9
    with held(tmp_path) as mine:
        assert mine


def test_what_two_processes_add_is_all_there(tmp_path):
    """Read, add, write, many times in both: without a lock some of it is lost."""
    path = tmp_path / "list.json"
    path.write_text("[]")
    code = (
        "import sys, json, time; from pathlib import Path; from ccalib.files.lock import changing\n"
        "p = Path(sys.argv[1])\n"
        "for i in range(20):\n"
        "    with changing(p):\n"
        "        rows = json.loads(p.read_text()); time.sleep(0.005); p.write_text(json.dumps([*rows, i]))\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert sorted(json.loads(path.read_text())) == sorted([*range(20)] * 2)


def test_where_no_folder_can_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CcaError, match="file: can't be a folder"), held(tmp_path / "file"):
        pass
    if os.getuid():
        os.chmod(tmp_path, 0o500)
        with pytest.raises(CcaError, match="can't be a folder"), changing(tmp_path / "new/x.json"):
            pass


def test_an_output_has_one_writer(tmp_path):
    path = tmp_path / "new" / "x.json"
    refused = pytest.raises(CcaError, match="x.json: another process is writing it")
    with writing(path), writing(path.with_name("y.json")), refused, writing(path):
        pass
    with writing(path):
        path.write_text("{}")
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_went_while_one_waited_is_not_held(tmp_path, monkeypatch):
    """The holder removes it between another's open and its lock: who comes third must not be let in as well."""
    folder, flock, first = tmp_path / "run", fcntl.flock, held(tmp_path / "run")
    assert first.__enter__()

    def late(handle, how):
        monkeypatch.setattr(fcntl, "flock", flock)
        first.__exit__(None, None, None)
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with held(folder) as second, held(folder) as third:
        assert second and not third and folder.exists()
