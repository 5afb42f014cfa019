"""Stop what runs too long, an endless loop included."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator

AGAIN_S = 0.5  # code that catches the first exception gets another


class OutOfTime(BaseException):
    """Not an `Exception`, so that a student's `except Exception` lets it through."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime inside the block once it has run for `seconds`.

    A Jupyter kernel runs cells in its main thread, where a timer's signal reaches any Python code and also ends a
    `sleep`. In other threads the interpreter is asked to raise the exception between two of its instructions.

    What neither can stop: one long call into C (a giant matrix product, `10**10**9`) until it returns, and a loop
    with a bare `except:` in it that swallows the exception. There only "Restart Kernel" helps.
    """
    in_main = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    with _by_signal(seconds) if in_main else _by_interpreter(seconds):
        yield


@contextlib.contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _by_interpreter(seconds: float) -> Iterator[None]:
    thread, done = ctypes.c_ulong(threading.get_ident()), threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(OutOfTime))
            wait = AGAIN_S

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)  # one that came too late
