"""A plugin of pytest (`-p ccalib.lessons.kernels`): a kernel of nbval's that dies while it starts is started once more.

Jupyter picks five free TCP ports, lets them go, and the kernel takes them a moment later. Where several workers start
kernels, one can lose a port to another in that moment, and dies before it says a word: no fault of the notebook.
"""

from __future__ import annotations

import nbval.plugin
from nbval.kernel import RunningKernel


def start(*args: object, **settings: object) -> RunningKernel:
    """nbval's running kernel (its own arguments), at the second try if not at the first.

    Raises:
        RuntimeError: the second died too.
    """
    try:
        return RunningKernel(*args, **settings)
    except RuntimeError:
        return RunningKernel(*args, **settings)


def pytest_configure() -> None:
    """Puts `start` in the place of nbval's own."""
    nbval.plugin.RunningKernel = start
