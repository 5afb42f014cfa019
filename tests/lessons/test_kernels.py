"""The notebooks' kernels: a start that fails is tried once more, and only once."""

import nbval.plugin
import pytest

from ccalib.lessons import kernels


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_a_kernel_that_dies_at_its_start_is_started_once_more(deaths, monkeypatch):
    starts = []

    def kernel(name, cwd=None):
        starts.append((name, cwd))
        if len(starts) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return f"kernel {len(starts)}"

    monkeypatch.setattr(kernels, "RunningKernel", kernel)
    monkeypatch.setattr(nbval.plugin, "RunningKernel", kernel)
    kernels.pytest_configure()
    if deaths < 2:
        assert nbval.plugin.RunningKernel("python", cwd="here") == f"kernel {deaths + 1}"
    else:
        with pytest.raises(RuntimeError, match="died"):
            nbval.plugin.RunningKernel("python", cwd="here")
    assert starts == [("python", "here")] * min(deaths + 1, 2)
