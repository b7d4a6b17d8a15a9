"""Progress of long work, on stderr."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback


def make_progress() -> Progress:
    """Return a progress bar that draws on stderr, and prints only its last state where that is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        refresh_per_second=2,
    )


class TrainingProgress(TrainerCallback):
    """Show steps, loss and measures of a training."""

    def __init__(self) -> None:
        self.progress = make_progress()
        self.task = self.progress.add_task("training", total=None, note="")
        self.measures = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Draw the bar."""
        self.progress.start()
        self.progress.update(self.task, total=state.max_steps, completed=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        self.progress.update(self.task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Note loss and measures."""
        logs = logs or {}
        measures = [f"{key.removeprefix('eval_')} {value:.3f}" for key, value in logs.items() if _is_measure(key)]
        if measures:
            self.measures = "  ".join(measures)
        if "loss" in logs:
            self.progress.update(self.task, note=f"loss {logs['loss']:.4f}  {self.measures}")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave the bar as it is."""
        self.progress.stop()


class Counter:
    """Count documents as they are encoded; a context manager whose value is the function to call with each number."""

    def __init__(self, description: str) -> None:
        self.progress = make_progress()
        self.task = self.progress.add_task(description, total=None, note="")

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __call__(self, count: int) -> None:
        """Count `count` more."""
        self.progress.advance(self.task, count)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()


def _is_measure(key: str) -> bool:
    return key.startswith("eval_") and key not in {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second"}
