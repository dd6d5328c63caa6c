"""Runs that are killed, told to end, or meet a full disk: the same bits in the end, or one line that says why not.

Most of a short run is the start of its process, so this file, run as a program, is the command line of training as a server:
it forks a run for each line that it reads. EQLIB_FAULTS=100 in the environment: so many kills at random moments.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from eqlib import processes, train, training
from eqlib.training import checkpoint, runs

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
KILLS = int(os.environ.get("EQLIB_FAULTS", "3"))
LONG = 300  # seconds; a run takes one, but only one that waits for ever may fail on a busy machine
STEPS, MANY = 250, 600  # a checkpoint every 100
COMMAND = ["tetris", "--model", "coordinates-augmented", "--turns", "2"]
NAMES = {"checkpoint": "c.pt", "weights": "w.pt", "json": "r.json"}
NO_MOUNT = 77  # the exit status where mounting is not allowed
PAIR = torch.distributed.is_available() and torch.distributed.is_gloo_available()


# --- in the process of a run


def at(number: int, action: Callable[[], None]) -> None:
    """Do this just before the operation of this number, from 1, on a file whose name begins like one of NAMES.

    Those are all that a run does to its files, among them opening, renaming and removing.
    """
    count, starts = itertools.count(1), (*(f"/{name}" for name in NAMES.values()),)

    def look(event: str, args: tuple[Any, ...]) -> None:
        named = bool(args) and any(start in str(args[0]) for start in starts)
        if named and event in ("open", "os.rename", "os.remove") and next(count) == number:
            action()

    sys.addaudithook(look)


def killed(number: int) -> None:
    at(number, lambda: os.kill(os.getpid(), signal.SIGKILL))


def killed_writing(number: int, size: int) -> None:
    """From that operation on no file may grow larger: the system kills the process in the middle of its write."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    at(number, lambda: limit(size))


def refused(number: int) -> None:
    """That operation is not done, for want of space."""

    def refuse() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    at(number, refuse)


def refused_writing(number: int, size: int) -> None:
    """From that operation on no file may grow larger."""
    at(number, lambda: limit(size))


def vanished(number: int, folder: str) -> None:
    at(number, lambda: shutil.rmtree(folder))


def small_disk(folder: str, size: str) -> None:
    """A disk of this size in the place of the folder, which only this process sees."""
    libc, private = ctypes.CDLL(None, use_errno=True), 1 << 14 | 1 << 18
    if libc.unshare(0x00020000) or libc.mount(b"none", b"/", None, private, None):
        os._exit(NO_MOUNT)
    if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={size}".encode()):
        os._exit(NO_MOUNT)


def clock_set_back() -> None:
    """By an hour whenever it is asked."""
    now = itertools.count(time.time(), -3600)
    time.time = now.__next__  # type: ignore[assignment]


def nobody() -> None:
    """Root may write anywhere."""
    if os.geteuid() == 0:
        os.setuid(65534)


def without_ctrl_c() -> None:
    """As a shell starts what it does not wait for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def limit(size: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def serve() -> None:
    """Fork a run for each line, answer with its number; for a line with the number of one wait, and answer how it ended."""
    train._parser()  # imports the tasks
    import torch._dynamo
    import torch.distributed.nn  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        if isinstance(job, int):
            print(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]), flush=True)
        elif number := os.fork():
            print(number, flush=True)
        else:
            run(**job)


def run(arguments: list[str], folder: str, log: str, faults: list[list[Any]], environment: dict[str, str]) -> None:
    """One run of the command, with these faults. What it leaves in the folder, as it sees it, is the last line of its log."""
    code: Any = 1
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os.dup2(1, 0)
    try:
        os.environ.update(environment)
        for name, *given in faults:
            globals()[name](*given)
        sys.argv = ["train", *arguments]
        processes.run(train.main)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        left = sorted(os.listdir(folder)) if os.path.isdir(folder) else "no folder"
        print(f"left: {left}", file=sys.stderr, flush=True)
        os._exit(code)


# --- in the process of the tests


class Server:
    """Starts runs with all their files in one folder, and their logs beside it."""

    def __init__(self) -> None:
        root = str(Path(train.__file__).parents[1])
        environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"

    def ask(self, job: Any) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(job), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def start(self, folder: Path, *faults: list[Any], steps: int = STEPS, rank: int = 0, port: int = 0) -> int:
        files = itertools.chain(*((f"--{option}", str(folder / name)) for option, name in NAMES.items()))
        environment = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
        return self.ask(
            {
                "arguments": [*COMMAND, "--steps", str(steps), *files],
                "folder": str(folder),
                "log": str(log(folder, rank)),
                "faults": faults,
                "environment": environment if port else {},
            }
        )

    def pair(self, folder: Path) -> list[int]:
        """Two runs, as torchrun starts them."""
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        return [self.start(folder, steps=MANY, rank=rank, port=port) for rank in range(2)]

    def end(self, folder: Path, *faults: list[Any]) -> int:
        """The exit status of a run; minus the signal that killed it."""
        return self.ask(self.start(folder, *faults))


def log(folder: Path, rank: int = 0) -> Path:
    return folder.with_suffix(f".log{rank}")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(folder / NAMES["weights"], "weights")["weights"]


def expect_same(folder: Path, whole: Path) -> None:
    """The bits of the undisturbed run, and nothing left over but what a process wrote that was killed after the training."""
    one, other = weights(folder), weights(whole)
    assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
    late = [name for name in left(folder) if name.endswith(".part") and not name.startswith("c.pt")]
    assert sorted({*left(folder)} - {*late}) == sorted(NAMES.values())
    report = json.loads((folder / NAMES["json"]).read_text(encoding="utf-8"))
    assert report["seconds"] >= 0 and report["cpu_seconds"] >= 0


def expect_line(folder: Path, *words: str) -> None:
    """The log ends in one line of an error, with these words, and nothing half written is there."""
    *before, line, found = log(folder).read_text(encoding="utf-8").splitlines()
    assert line.startswith("python -m eqlib.train tetris: error: ") and all(word in line for word in words), line
    assert not any("Traceback" in line for line in before) and found.startswith("left: ")
    assert ".part" not in found and ".lock" not in found


def wait_for(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def saved(folder: Path, files: int) -> Callable[[], bool]:
    """Whether so many checkpoints have been there, with the present one: the steps are under way."""
    path, seen = folder / NAMES["checkpoint"], set[int]()

    def more() -> bool:
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        return len(seen) >= files

    more()
    return more


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    assert server.process.stdin is not None and server.process.stdout is not None
    server.process.stdin.close()
    assert server.process.wait(LONG) == 0
    server.process.stdout.close()


@pytest.fixture(scope="module")
def whole(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert server.end(folder) == 0, log(folder).read_text(encoding="utf-8")
    expect_same(folder, folder)
    return folder


def test_killed_at_random_moments(server: Server, whole: Path, tmp_path: Path) -> None:
    """And started again until it ends, as often as it takes for so many kills."""
    moments, kills = random.Random(0), 0
    began = time.monotonic()
    assert server.end(whole) == 0  # what a start takes, and the test
    start = time.monotonic() - began
    (tmp_path / "first").mkdir()
    began = time.monotonic()
    assert server.end(tmp_path / "first") == 0
    seconds = time.monotonic() - began
    for number in itertools.count():
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        while True:
            process = server.start(folder)
            if kills < KILLS:
                time.sleep(moments.uniform(start / 2, seconds))
                os.kill(process, signal.SIGKILL)  # a process that has ended is there until it is waited for
            code = server.ask(process)
            assert code in (0, -signal.SIGKILL), log(folder).read_text(encoding="utf-8")
            if code == 0:
                break
            kills += 1
        expect_same(folder, whole)
        if kills == KILLS:
            break
    print(f"{kills} kills in {number + 1} runs")


# Of the operations: the lock's comes first, then those that open the first and the second file of the checkpoint.
FIRST, SECOND, OPERATIONS = 2, 5, range(1, 21)


@pytest.mark.parametrize("number", OPERATIONS if KILLS > 20 else (FIRST, SECOND + 1, SECOND + 2, 19))
def test_killed_before_an_operation_on_a_file(server: Server, whole: Path, tmp_path: Path, number: int) -> None:
    """Opening, renaming, removing: of the lock, the checkpoint, the weights, the report."""
    code = server.end(tmp_path, ["killed", number])
    assert code == -signal.SIGKILL, log(tmp_path).read_text(encoding="utf-8")
    if (tmp_path / "c.pt").exists():
        checkpoint.read(tmp_path / "c.pt", "checkpoint")
    assert server.end(tmp_path) == 0
    expect_same(tmp_path, whole)


@pytest.mark.parametrize("number", OPERATIONS if KILLS > 20 else (SECOND, SECOND + 1))
def test_refused_an_operation_on_a_file(server: Server, whole: Path, tmp_path: Path, number: int) -> None:
    code = server.end(tmp_path, ["refused", number])
    assert code in (0, 2), log(tmp_path).read_text(encoding="utf-8")  # what is not there any more need not be removed
    if code:
        expect_line(tmp_path, "No space left on device", *([f"'{tmp_path}/"] if number > 1 else []))
    if (tmp_path / "c.pt").exists():
        checkpoint.read(tmp_path / "c.pt", "checkpoint")
    assert server.end(tmp_path) == 0
    expect_same(tmp_path, whole)


@pytest.mark.parametrize("size", [1_000, 5_000, 40_000] if KILLS > 20 else [5_000])  # its log has less
@pytest.mark.parametrize("fault", ["killed_writing", "refused_writing"])
def test_in_the_middle_of_a_write(server: Server, whole: Path, tmp_path: Path, fault: str, size: int) -> None:
    """Of the second checkpoint: the first one is whole, and the run goes on from it."""
    code = server.end(tmp_path, [fault, SECOND, size])
    checkpoint.read(tmp_path / "c.pt", "checkpoint")
    if fault == "killed_writing":
        assert code == -signal.SIGXFSZ
        assert [name.endswith(".part") for name in left(tmp_path)] == [False, True, False]  # and the lock
    else:
        assert code == 2
        expect_line(tmp_path, "File too large", f"'{tmp_path}/c.pt'")
    assert server.end(tmp_path) == 0
    expect_same(tmp_path, whole)


@pytest.mark.parametrize("size", ["12k", "70k", "100k"])
def test_a_disk_that_is_full(server: Server, tmp_path: Path, size: str) -> None:
    """At the first checkpoint, at the second one, and at the end."""
    code = server.end(tmp_path, ["small_disk", str(tmp_path), size])
    if code == NO_MOUNT:
        pytest.skip("mounting is not allowed")
    assert code == 2, log(tmp_path).read_text(encoding="utf-8")
    expect_line(tmp_path, "No space left on device", f"'{tmp_path}/c.pt'")


@pytest.mark.parametrize("size", [0, 100, 3000])
def test_files_of_results_are_whole_or_not_there(tmp_path: Path, size: int) -> None:
    """Weights, a report, the log of runs: where the disk is full the old file stays, and the error names it."""
    resource = pytest.importorskip("resource")
    before, net = resource.getrlimit(resource.RLIMIT_FSIZE), torch.nn.Linear(30, 30)
    writers: dict[str, Callable[[Path], None]] = {
        "w.pt": lambda path: training.save_weights(net, path),
        "r.json": lambda path: runs.write(path, 4000 * "x"),
        "log.json": lambda path: runs.add(path, {"x": 4000 * "x"}),
    }
    for name, write in writers.items():
        path = tmp_path / name
        for there in (False, True):
            if there:
                write(path)
            old = path.read_bytes() if there else None
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
            try:
                with pytest.raises(OSError, match="File too large") as error:
                    write(path)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert error.value.filename == str(path)
            assert (path.read_bytes() if path.exists() else None) == old
    assert not list(tmp_path.glob("*.part"))


def test_a_clock_that_is_set_back(server: Server, whole: Path, tmp_path: Path) -> None:
    assert server.end(tmp_path, ["clock_set_back"]) == 0
    expect_same(tmp_path, whole)
    history = checkpoint.read(tmp_path / "c.pt", "checkpoint")["history"]
    assert min(history["seconds"] + history["cpu_seconds"]) >= 0


@pytest.mark.parametrize("faults", [[], [["without_ctrl_c"]]])
def test_a_scheduler_ends_a_run(server: Server, whole: Path, tmp_path: Path, faults: list[list[Any]]) -> None:
    """SIGTERM, also where Ctrl-C is ignored: the step is kept, the last line says how to go on."""
    ready = saved(tmp_path, 2)
    process = server.start(tmp_path, *faults)
    wait_for(ready)
    os.kill(process, signal.SIGTERM)
    code = server.ask(process)
    *_, line, found = log(tmp_path).read_text(encoding="utf-8").splitlines()
    assert code == train.TERMINATED and line == f"stopped: the same command goes on from {tmp_path / 'c.pt'}"
    assert found == "left: ['c.pt']"
    kept = checkpoint.read(tmp_path / "c.pt", "checkpoint")
    assert 100 <= len(kept["history"]["loss"]) < STEPS
    assert server.end(tmp_path) == 0
    expect_same(tmp_path, whole)


@pytest.mark.skipif(not PAIR, reason="needs gloo")
def test_one_of_two_processes_is_killed(server: Server, tmp_path: Path) -> None:
    """The other one ends with an error; both go on from the checkpoint, also after SIGTERM, as if nothing had been."""
    whole, folder = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), folder.mkdir()
    assert [server.ask(process) for process in server.pair(whole)] == [0, 0], log(whole).read_text(encoding="utf-8")
    for gone in (1, 0) if KILLS > 20 else (1,):
        ready, pair = saved(folder, 3), server.pair(folder)
        wait_for(ready)
        os.kill(pair[gone], signal.SIGKILL)
        began = time.monotonic()
        assert server.ask(pair[1 - gone]) == 1
        print(f"process {1 - gone} ended {time.monotonic() - began:.1f} s later")
        assert "onnection" in log(folder, 1 - gone).read_text(encoding="utf-8")
        assert server.ask(pair[gone]) == -signal.SIGKILL
        checkpoint.read(folder / "c.pt", "checkpoint")
    ready, pair = saved(folder, 3), server.pair(folder)
    wait_for(ready)
    for process in pair:
        os.kill(process, signal.SIGTERM)
    assert [server.ask(process) for process in pair] == 2 * [train.TERMINATED]
    logs = [log(folder, rank).read_text(encoding="utf-8") for rank in range(2)]
    assert f"stopped: the same command goes on from {folder / 'c.pt'}" in logs[0] and "Traceback" not in "".join(logs)
    assert [server.ask(process) for process in server.pair(folder)] == [0, 0]
    expect_same(folder, whole)


@pytest.mark.parametrize("number", [SECOND, SECOND + 1])
def test_a_folder_that_vanishes(server: Server, tmp_path: Path, number: int) -> None:
    (tmp_path / "gone").mkdir()
    assert server.end(tmp_path / "gone", ["vanished", number, str(tmp_path / "gone")]) == 2
    expect_line(tmp_path / "gone", f"No such file or directory: '{tmp_path}/gone/c.pt'")


def test_a_folder_that_cannot_be_written(server: Server) -> None:
    """Nor be the place of a checkpoint itself; told at the door."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders nobody but their owner may look into
    try:
        folder.chmod(0o555)
        assert server.end(folder, ["nobody"]) == 2
        expect_line(
            folder, f"--weights: got '{folder}/w.pt', expected a file in a folder that is there and can be written"
        )
        folder.chmod(0o755)
        (folder / "c.pt").mkdir()
        assert server.end(folder) == 2
        expect_line(folder, f"--checkpoint: got '{folder}/c.pt', expected a file in a folder")
    finally:
        shutil.rmtree(folder)
        log(folder).unlink(missing_ok=True)


if __name__ == "__main__":
    serve()
