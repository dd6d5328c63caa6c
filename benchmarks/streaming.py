"""What jets in files cost: reading, memory, training on one and two processes; writes benchmarks/results/streaming.json.

    python benchmarks/streaming.py             # every run that the log lacks, then the table
    python benchmarks/streaming.py --again     # logged runs too, beside the log
    python benchmarks/streaming.py --table     # the table of the log, nothing run
    python benchmarks/streaming.py --markdown  # the tables of docs/scaling.md, from the log

The files are made in a temporary folder: the shipped jets again and again, as the reference set's HDF5 (806 columns of a
pandas table, blosc at level 9) and as shards of 10,000. `read` is an epoch of `JetStream` for a Lorentz group network: read,
checked, turned to light-cone components, shuffled, given out in batches of 50; `microseconds` of processor time a jet, of which
`bare` is `JetFiles.read` alone. `memory` is the same, of 20,000 and 200,000 jets: `megabytes` are what it added to the largest
size of the process.
`train` is an epoch of the network `lorentz` on a stream of so many processes: `jets_a_second` on the clock, `microseconds` of
processor time a jet, of process 0. `step` is one of the network on as many jets as `jets` says: `microseconds` a jet, and
`step_ms`, `optimizer_ms`, `checkpoint_ms`, and `copy_gb_s`, read and written, of a large array. Each run is a process of its
own, one thread each; rounds take turns, because machines drift.
Needs the packages tables and pandas.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from eqlib import data
from eqlib.data.jet_file import FILE
from eqlib.training import runs

RESULTS = Path(__file__).parent / "results" / "streaming.json"
SHARD = 10_000
BATCH = 50
INPUTS = 50 * (4 * 4 + 1) + 8  # bytes of a jet's float32 momenta, mask and label
FACTORS = (30, 100, 300)  # how many times as fast as one core a GPU is taken to be
NAMES = ("measure", "files", "jets", "processes")
MEMORY = [("hdf5", 20_000), ("hdf5", 60_000), ("hdf5", 200_000), ("shards", 20_000), ("shards", 200_000)]
POINTS = [
    ("read", "hdf5", 20_000, 1),
    ("read", "shards", 20_000, 1),
    ("memory", "hdf5", 20_000, 1),
    ("memory", "hdf5", 60_000, 1),
    ("memory", "hdf5", 200_000, 1),
    ("memory", "shards", 20_000, 1),
    ("memory", "shards", 200_000, 1),
    ("train", "hdf5", 1_000, 1),
    ("train", "hdf5", 1_000, 2),
    ("step", "shards", 10, 1),
    ("step", "shards", 50, 1),
    ("step", "shards", 250, 1),
]
SEEDS = (0, 1, 2)


def write(folder: Path, kind: str, jets: int) -> list[Path]:
    """Files of so many jets, made once; of shards the same one again and again."""
    if kind == "shards":
        return [FILE] * (jets // SHARD)
    path = folder / f"eqlib-streaming-{jets}.h5"
    if not path.exists():
        import pandas

        shipped = [data.jets(split).momenta(128)[0] for split in ("train", "valid", "test")]
        momenta = np.pad(np.concatenate(shipped), ((0, 0), (0, 72), (0, 0))).astype(np.float32)
        labels = np.concatenate([data.jets(split).labels for split in ("train", "valid", "test")])
        names = [f"{name}_{k}" for k in range(200) for name in ("E", "PX", "PY", "PZ")]
        names += ["truthE", "truthPX", "truthPY", "truthPZ"]
        part = pandas.DataFrame(np.column_stack([momenta.reshape(-1, 800), momenta.sum(1)]), columns=names)
        part = part.assign(ttv=0, is_signal_new=labels)
        half = path.with_suffix(".part")
        with pandas.HDFStore(str(half), "w", complib="blosc", complevel=9) as store:
            for first in range(0, jets, len(part)):
                store.append("table", part[: jets - first], format="table", index=False)
        half.rename(path)
    return [path]


def epoch(stream: data.JetStream) -> None:
    import torch

    for batch in stream.batches(BATCH, torch.Generator().manual_seed(0)):
        stream.batch(batch.numpy())


def here(measure: str, files: list[str], jets: int) -> dict[str, Any]:
    """One measurement in this process, or in this one of torchrun's; the line of process 0."""
    import torch

    from eqlib import processes, training
    from eqlib.tasks import jets as task

    torch.set_num_threads(1)
    if measure == "step":
        return step(jets)
    source = data.JetFiles(files)
    stream = data.JetStream(source)
    bytes_of = sum(Path(path).stat().st_size for path in files)
    line: dict[str, Any] = {"bytes_a_jet": round(bytes_of / len(source))}
    if measure == "train":
        net, history = task.make("lorentz", 0), None
        options: dict[str, Any] = {"epochs": 1, "batch_size": BATCH, "optimizer": torch.optim.AdamW, "clip": 1.0}
        training.fit(
            net, training.cross_entropy, data.JetInputs(data.jets("valid", number=BATCH)), **options, progress=False
        )
        history = training.fit(net, training.cross_entropy, stream, progress=False, **options)
        line |= {"jets_a_second": round(jets / history.total_seconds, 1), "processes": processes.size()}
        return line | {"microseconds": round(history.total_cpu_seconds / jets * 1e6, 1)}
    if measure == "memory":
        before = size_now()
        epoch(stream)
        return line | {"megabytes": round((largest() - before) / 2**20, 1)}
    start, clock = time.process_time(), time.perf_counter()
    epoch(stream)
    line |= {"microseconds": round((time.process_time() - start) / jets * 1e6, 1)}
    line |= {"jets_a_second": round(jets / (time.perf_counter() - clock), 1)}
    start = time.process_time()
    for block in source.blocks:
        source.read(block)
    return line | {"bare": round((time.process_time() - start) / jets * 1e6, 1)}


def step(batch: int) -> dict[str, Any]:
    """Processor time of a step of so many jets, of the optimizer's part in it, of a checkpoint; speed of a large copy."""
    import torch

    from eqlib import training
    from eqlib.tasks import jets as task
    from eqlib.training.checkpoint import write as save

    net = task.make("lorentz", 0)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    momenta, mask, labels = (
        torch.as_tensor(x) for x in data.JetInputs(data.jets(number=batch)).batch(np.arange(batch))
    )

    def train() -> None:
        optimizer.zero_grad()
        training.cross_entropy(net(momenta, mask), labels).backward()
        optimizer.step()

    big = np.ones(1 << 26, np.float32)
    content = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
    with tempfile.TemporaryDirectory() as folder:
        jobs = {"step": train, "optimizer": optimizer.step, "copy": big.copy}
        jobs["checkpoint"] = lambda: save(Path(folder) / "c.pt", "checkpoint", content)
        ms = {}
        for name, job in jobs.items():
            times = []
            for _ in range(7):
                start = time.process_time()
                job()
                times.append(time.process_time() - start)
            ms[name] = float(np.median(times[2:])) * 1e3
    found = {f"{name}_ms": round(ms[name], 3) for name in ("step", "optimizer", "checkpoint")}
    return (
        {"microseconds": round(ms["step"] * 1e3 / batch, 1)}
        | found
        | {"copy_gb_s": round(2 * big.nbytes / ms["copy"] / 1e6, 1)}
    )


def size_now() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def largest() -> int:
    """The largest size of this process so far, bytes; where the system does not say, the size now."""
    status = Path(
        "/proc/self/status"
    )  # getrusage would give a child the size of what started it, where that was larger
    if not status.exists():
        return size_now()
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def run(measure: str, files: str, jets: int, processes: int, seed: int) -> dict[str, Any]:
    """One line of the log, from fresh processes. `seed` only numbers the repetitions."""
    job = json.dumps([measure, [str(path) for path in write(Path(tempfile.gettempdir()), files, jets)], jets])
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {"PYTHONPATH": root}
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    clock = time.perf_counter()
    done = subprocess.run([*start, __file__, "--here", job], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{job} failed: {done.stderr.strip()[-800:]}")
    (found,) = (json.loads(text) for text in done.stdout.splitlines() if text.startswith("{"))
    line = {"command": "python benchmarks/streaming.py", "measure": measure, "files": files, "jets": jets}
    line |= {"processes": processes, "seed": seed} | found
    return line | {"seconds": round(time.perf_counter() - clock, 1), "threads": 1}


def table() -> str:
    """The median of each measurement over the rounds, and how far they lie apart."""
    found = runs.read(RESULTS)
    lines = []
    for point in POINTS:
        some = [line for line in found if tuple(line[k] for k in NAMES) == point]
        words = "{:7} {:7} {:8,} jets, {} process(es):".format(*point)
        for name in (
            "bytes_a_jet",
            "microseconds",
            "bare",
            "jets_a_second",
            "megabytes",
            "step_ms",
            "optimizer_ms",
            "checkpoint_ms",
            "copy_gb_s",
        ):
            values = [line[name] for line in some if name in line]
            if values:
                words += f"  {name} {np.median(values):,.6g} ({min(values):,.6g} ... {max(values):,.6g})"
        lines.append(words)
    return "\n".join(lines)


def median(found: list[dict[str, Any]], point: tuple[Any, ...], name: str) -> float:
    """Over the rounds of a point."""
    return float(np.median([r[name] for r in found if tuple(r[k] for k in NAMES) == point]))


def markdown(found: list[dict[str, Any]]) -> str:
    """Two tables: what was measured, and what follows for larger sets if nothing changes but the number of jets."""

    def of(*point: Any) -> float:
        return median(found, point[:-1], point[-1])

    read = {kind: of("read", kind, 20_000, 1, "microseconds") for kind in ("hdf5", "shards")}
    train = of("step", "shards", 50, 1, "microseconds")
    clock, used = ([of("train", "hdf5", 1_000, n, name) for n in (1, 2)] for name in ("jets_a_second", "microseconds"))
    on_disk = {kind: of("read", kind, 20_000, 1, "bytes_a_jet") for kind in read}
    memory = [of("memory", kind, n, 1, "megabytes") for kind, n in MEMORY]
    rows = [
        ("on disk, HDF5 and shards, bytes a jet", f"{on_disk['hdf5']:.0f}, {on_disk['shards']:.0f}"),
        ("held in memory, bytes a jet of the buffer", f"{INPUTS}"),
        ("memory of an epoch of 20,000, 60,000, 200,000 jets of HDF5, MB", ", ".join(f"{m:.0f}" for m in memory[:3])),
        ("of 20,000 and 200,000 jets of shards, MB", ", ".join(f"{m:.0f}" for m in memory[3:])),
        ("reading, HDF5 and shards, processor µs a jet", f"{read['hdf5']:.0f}, {read['shards']:.0f}"),
        ("a step on 10, 50, 250 jets, processor µs a jet", ", ".join(
            f"{of('step', 'shards', n, 1, 'microseconds'):.0f}" for n in (10, 50, 250)
        )),
        ("of a step on 50 jets, ms: all, optimizer", f"{of('step', 'shards', 50, 1, 'step_ms'):.0f}, "
         f"{of('step', 'shards', 50, 1, 'optimizer_ms'):.1f}"),
        ("a checkpoint, ms", f"{of('step', 'shards', 50, 1, 'checkpoint_ms'):.1f}"),
        ("a large copy, GB/s read and written", f"{of('step', 'shards', 50, 1, 'copy_gb_s'):.0f}"),
        ("trained on 1 and 2 processes, jets a second on the clock", f"{clock[0]:.0f}, {clock[1]:.0f}"),
        ("the same, processor µs a jet, of each process", f"{used[0]:.0f}, {used[1]:.0f}"),
    ]  # fmt: skip
    lines = ["| measured on one core | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), ""]
    lines += ["| computed | 1.2 million jets | 100 million jets |", "| --- | --- | --- |"]

    def row(name: str, each: float, unit: str) -> None:
        """each: of one jet."""
        lines.append(f"| {name} | {each * 1.2e6:.2g} {unit} | {each * 1e8:,.3g} {unit} |")

    for kind, name in (("hdf5", "HDF5"), ("shards", "shards")):
        row(f"on disk, {name}", on_disk[kind] / 1e9, "GB")
    row("all inputs in memory, which a stream spares", INPUTS / 1e9, "GB")
    for kind, name in (("hdf5", "HDF5"), ("shards", "shards")):
        row(f"reading {name}, an epoch, one core", read[kind] / 3.6e9, "h")
    row("training, an epoch, one core", train / 3.6e9, "h")
    for factor in FACTORS:
        row(f"training, an epoch, a GPU {factor} times as fast as that core", train / factor / 3.6e9, "GPU h")
    lines.append("")
    lines += ["The reader of HDF5 takes as long as the training where that is "
              f"{train / read['hdf5']:.0f} times as fast as here; of shards, {train / read['shards']:.0f} times."]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="logged runs too, printed beside the log")
    parser.add_argument("--table", action="store_true", help="print the log's table and run nothing")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/scaling.md and run nothing")
    parser.add_argument("--here", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        from eqlib import processes

        processes.run(lambda: print(json.dumps(here(*args.here))))
        return
    if args.markdown:
        print(markdown(runs.read(RESULTS)))
        return
    if not args.table:
        points = [dict(zip(NAMES, point, strict=True)) | {"seed": seed} for seed in SEEDS for point in POINTS]
        runs.fill(RESULTS, points, run, "seconds", args.again)
    print(table())


if __name__ == "__main__":
    main()
