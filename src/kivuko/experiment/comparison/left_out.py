"""Which baselines cannot take part in which tasks, and why."""

from kivuko.data.catalog import Pair
from kivuko.experiment.comparison.config import Baseline, CompareConfig
from kivuko.experiment.comparison.named_tasks import ENGLISH, directions
from kivuko.experiment.comparison.task_config import TaskConfig


def left_out(config: CompareConfig, task: str = "") -> list[str]:
    """Say which baselines are left out of which tasks, and why.

    Args:
        config: The comparison.
        task: Of that name alone; of all by default.
    """
    found = []
    for language in config.languages:
        for each in (each for each in language.tasks if task in ("", each.name)):
            for baseline in config.baselines:
                towards = directions(each, language.code)
                reasons = [why_not(baseline, each, direction, language.code) for direction in towards]
                if len(set(reasons)) == 1:  # one for all directions, or none at all
                    towards, reasons = (None,), reasons[:1]
                for direction, why in zip(towards, reasons, strict=True):
                    where = f"{language.code}, {direction}" if direction else language.code
                    found += [f"{baseline} is left out of {each.name} ({where}): {why}."] if why else []
    return found


def why_not(baseline: Baseline, task: TaskConfig, direction: Pair | None, language: str) -> str:
    """Say why a baseline cannot take part in a task, in that direction; nothing where it can."""
    match baseline:
        case Baseline.TRANSLATED | Baseline.TRANSLATED_BM25 if task.translations is None:
            return "no translations by hand are given"
        case Baseline.TRANSLATED | Baseline.TRANSLATED_BM25 if direction != (language, ENGLISH):
            return f"translations by hand are of questions in {language} for documents in English"
        case Baseline.BM25 if direction is None:
            return "its documents are in several languages"
        case Baseline.BM25 if direction and direction.documents not in (ENGLISH, direction.queries):
            return f"words in {direction.queries} do not find documents in {direction.documents}"
        case Baseline.PSQ | Baseline.MT | Baseline.MT_BM25 if direction != (language, ENGLISH):
            return f"it translates questions in {language} for documents in English"
    return ""
