"""A comparison that is killed in the middle of a cell goes on from there, and answers what it would have answered."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kivuko.experiment.comparison import CompareConfig, compare
from kivuko.experiment.comparison.cells import RECORD, final_cells

_SCRIPT = """
import sys
from pathlib import Path
from kivuko.experiment.comparison import CompareConfig, compare
told, out, resume = sys.argv[1:]
compare(
    CompareConfig.model_validate_json(Path(told).read_text()),
    Path(out),
    resume=bool(resume),
    progress=lambda state, cell, detail: print(state, cell.system, flush=True),
)
"""


def run_in_the_background(told: Path, out: Path, *, resume: bool = False) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(told), str(out), "yes" if resume else ""],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
@pytest.mark.timeout(900)  # two processes that import torch, perhaps on a busy machine
def test_comparison_that_was_killed_in_a_cell_gives_the_same_scores(config: CompareConfig, tmp_path: Path) -> None:
    few = config.model_copy(
        update={
            "seeds": (0,),
            "pairs": (400,),
            "baselines": (),
            "fusions": (),
            "languages": config.languages[:1],
            "systems": config.systems[:2],
            "tuning": config.tuning.model_copy(update={"trials": config.tuning.trials[:1]}),
        }
    )
    compare(few, tmp_path / "whole")

    told, out = tmp_path / "told.json", tmp_path / "out"
    told.write_text(few.model_dump_json())
    first, second = (cell.directory(out) for cell in final_cells(few, {"transport": 0, "scores": 0}))
    process = run_in_the_background(told, out)
    while not list(second.glob("checkpoints/checkpoint-*/complete")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (second / RECORD).exists()
    assert not (out / "scores.tsv").exists()
    finished = (first / RECORD).read_bytes(), (first / RECORD).stat().st_mtime_ns

    resumed = run_in_the_background(told, out, resume=True)
    said, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert said.split("\n")[:-1] == ["started scores", "done scores"]
    assert ((first / RECORD).read_bytes(), (first / RECORD).stat().st_mtime_ns) == finished
    assert (out / "scores.tsv").read_text() == (tmp_path / "whole" / "scores.tsv").read_text()
