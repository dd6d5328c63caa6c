"""The log of runs: lines that are there are skipped, new ones added whole, read by model and size, compared in pairs."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from eqlib.training import metrics, runs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [("a", 10, 1, 0.5), ("b", 10, 0, 0.1), ("a", 10, 0, 0.4), ("a", 20, 0, 0.6)]
    for m, n, s, v in lines:
        runs.add(tmp_path / "log.json", {"model": m, "images": n, "seed": s, "test_accuracy": v, "epochs": s})
    return tmp_path / "log.json"


def test_a_log_is_read_by_model_and_size(log: Path) -> None:
    assert runs.values(log) == {("a", 10): [0.4, 0.5], ("b", 10): [0.1], ("a", 20): [0.6]}
    assert runs.values(log, "epochs")["a", 10] == [0, 1]
    assert runs.values(log, by=("model",))["a",] == [0.4, 0.6, 0.5]
    assert runs.values(log, model="b") == {("b", 10): [0.1]}
    with pytest.raises(ValueError, match=r"got no line with .*'c'"):
        runs.values(log, model="c")
    log.write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(ValueError, match="expected a log"):
        runs.read(log)
    assert runs.read(log.with_name("none.json")) == []


def test_what_the_log_holds_is_not_run_again(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "commit", lambda folder: "abc1234")
    calls = []

    def run(model: str, images: int, seed: int) -> runs.Line:
        calls.append((model, images, seed))
        return {"model": model, "images": images, "seed": seed, "test_accuracy": 0.9, "seconds": 1.0}

    points = [{"model": m, "images": 10, "seed": s} for m in "ab" for s in (0, 1)]
    runs.fill(log, points, run, "test_accuracy")
    assert calls == [("b", 10, 1)]
    assert runs.read(log)[-1]["commit"] == "abc1234"
    before = log.read_bytes()
    runs.fill(log, points[:1], run, "test_accuracy", again=True)
    assert calls[-1] == ("a", 10, 0) and log.read_bytes() == before
    assert "a 10 0: test_accuracy 0.9 (log: 0.4) in 1.0 s" in capsys.readouterr().out


def test_lines_of_two_writers_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: runs.add(tmp_path / "log.json", {"seed": n}), range(40)))
    assert sorted(line["seed"] for line in runs.read(tmp_path / "log.json")) == list(range(40))
    assert not list(tmp_path.glob("*.part"))


def test_mistakes_of_a_log_are_paired(tmp_path: Path) -> None:
    lines = [{"model": "a", "images": 9, "seed": s, "test_images": 4, "wrong": w} for s, w in [(1, ""), (0, "0 3")]]
    (tmp_path / "log.json").write_text(json.dumps({"runs": lines}), encoding="utf-8")
    assert runs.mistakes(tmp_path / "log.json")["a", 9].tolist() == [[1, 0, 0, 1], [0, 0, 0, 0]]


def test_packed_judgements_come_back() -> None:
    right = np.random.default_rng(0).random(3001) < 0.7
    assert np.array_equal(runs.unpacked(runs.bits(right), 3001), right)


def test_ranks_keep_the_area_and_refuse_too_many() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(2, size=900), rng.normal(size=(2, 900)).round(2)  # ties
    back = [runs.unranked(runs.ranks(s)) for s in scores]
    assert metrics.paired_auc(*back, labels) == metrics.paired_auc(*scores, labels)
    for ours, of_scipy in zip(back, rankdata(scores, "dense", axis=1), strict=True):
        assert np.array_equal(ours + 1, of_scipy)
    assert runs.unranked(runs.ranks(np.arange(65_536.0)))[-1] == 65_535
    with pytest.raises(ValueError, match="scores: got 65537 different ones, expected at most 65536"):
        runs.ranks(np.arange(65_537.0))


def test_a_script_elsewhere_prints_lines_or_fails_with_its_words(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import json, os, sys\n"
        "print('hello')\n"
        "print(json.dumps({'job': json.loads(sys.argv[2]), 'threads': os.environ['OMP_NUM_THREADS']}))\n"
        "assert sys.argv[2] != '1', 'one is refused'\n"
    )
    assert runs.elsewhere(sys.executable, script, ["x"]) == [{"job": ["x"], "threads": "1"}]
    with pytest.raises(RuntimeError, match="one is refused"):
        runs.elsewhere(sys.executable, script, 1)
