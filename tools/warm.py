"""Kernels that begin with torch already imported, for tests that start many of them.

A kernel of its own spends some three seconds on importing what every page imports. `kernels()` lets jupyter_client fork
each from one process that has done so. That process has not imported eqlib: a test breaks the library before anything
has taken a function from it, as in a kernel of its own. Only Linux can fork such a process safely; elsewhere
kernels start as ever.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.process
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

PRELOAD = ["torch", "sklearn.datasets", "matplotlib.figure", "matplotlib.backends.backend_agg", "mpl_toolkits.mplot3d"]
PRELOAD += ["ipywidgets", "ipykernel.kernelapp"]


class Kernel:
    """As much of `subprocess.Popen` as jupyter_client wants of a kernel's process."""

    stdin = stdout = stderr = None

    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self.process, self.pid = process, process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self) -> int | None:
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()


def serve(arguments: list[str], environment: dict[str, str], folder: str, ready: Connection) -> None:
    """Be a kernel, in a new process that leads a group of its own: jupyter_client signals the group."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    from ipykernel.kernelapp import IPKernelApp

    ready.send(None)
    IPKernelApp.launch_instance(argv=arguments, parent_handle=os.getppid())  # it ends when its parent does


def launch(command: list[str], env: dict[str, str] | None = None, cwd: str | Path | None = None, **_: Any) -> Kernel:
    """In the place of jupyter_client's `launch_kernel`: the command is `python ... -m ipykernel_launcher -f file`."""
    fork = multiprocessing.get_context("forkserver")
    fork.set_forkserver_preload(PRELOAD)  # has no effect once the server runs
    here, there = fork.Pipe()
    arguments = command[command.index("ipykernel_launcher") + 1 :]
    folder, environment = str(cwd or Path.cwd()), dict(os.environ if env is None else env)
    process = fork.Process(target=serve, args=(arguments, environment, folder, there), daemon=True)
    process.start()
    there.close()
    here.recv()
    return Kernel(process)


@contextlib.contextmanager
def kernels() -> Iterator[None]:
    """Within it, the kernels that this process starts are forked; where that cannot be done safely, as ever."""
    if sys.platform != "linux":
        yield
        return
    with mock.patch("jupyter_client.provisioning.local_provisioner.launch_kernel", launch):
        yield
