"""Run a comparison: what is shared, the trials, the cells, the answer. What is finished is not repeated."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from kivuko.data.settings import parse_config
from kivuko.errors import ConfigError, ModelError
from kivuko.evaluation.scores import Score, read_scores, write_scores
from kivuko.experiment.comparison.answer import Answer, answer
from kivuko.experiment.comparison.baselines import BaselineRun, run_baseline, run_fusion
from kivuko.experiment.comparison.cells import RECORD, SCORES, Cell, Layout, final_cells, is_final, tuning_cells
from kivuko.experiment.comparison.config import Baseline, CompareConfig
from kivuko.experiment.comparison.estimate import estimate
from kivuko.experiment.comparison.left_out import left_out
from kivuko.experiment.comparison.prepare import language_bitext, prepare, start_record
from kivuko.experiment.comparison.training import is_scored, is_validated, run_cell, run_trial
from kivuko.experiment.comparison.workers import Workers, saying
from kivuko.experiment.unfinished import PLAN, write_json
from kivuko.search.staging import exclusive

TRIALS = "trials.json"
TABLE = "scores.tsv"

Progress = Callable[[str, Cell, str], None]


class DryRun(NamedTuple):
    """What a comparison would do.

    Attributes:
        trials: Students trained to choose hyper-parameters.
        cells: Students trained and tested; those that are trials at the same time are counted once, as trials.
        steps: Optimizer steps in all.
        hours: Of one process, with preparation, baselines and tests, but without what a translation model takes; by
            what a step takes, None where nobody said.
        gigabytes: On disk while it runs.
        languages: Sentence pairs of each language.
        left_out: Which baselines are left out of which tasks, and why.
    """

    trials: int
    cells: int
    steps: int
    hours: float | None
    gigabytes: float
    languages: dict[str, int]
    left_out: Sequence[str] = ()


def dry_run(config: CompareConfig, *, seconds_a_step: float | None = None) -> DryRun:
    """Say what a comparison would do, having read its bitext and its collections.

    Args:
        config: The comparison.
        seconds_a_step: What a step takes here.

    Raises:
        KivukoError: If bitext or a collection is missing or wrong.
    """
    languages = {
        language.code: sum(len(bitext.pairs) for bitext in language_bitext(config, language)[0])
        for language in config.languages
    }
    trials, batch = tuning_cells(config), config.training.batch_size
    assumed = {system.name: 0 for system in config.systems}
    finals = [cell for cell in final_cells(config, assumed) if cell not in set(trials)]
    work = estimate(config, trials, finals, languages)
    # Teacher, a student for each language and one in work with its checkpoints; those of trials that may be tested.
    models = 2 + len(config.languages) + sum(is_final(config, cell) for cell in trials)
    checkpoints = config.training.keep_checkpoints * (config.most_pairs > config.training.save_every * batch)
    gigabytes = 0.12 * models + 0.36 * checkpoints + 2e-9 * (config.dimensions or 384) * work.indexed
    hours = None if seconds_a_step is None else work.steps * seconds_a_step / 3600
    steps = round(work.training)
    return DryRun(len(trials), len(finals), steps, hours, round(gigabytes, 1), languages, left_out(config))


def compare(
    config: CompareConfig,
    out: Path,
    *,
    resume: bool = False,
    jobs: int = 1,
    notify: Callable[[str], None] = lambda message: None,
    progress: Progress = lambda state, cell, detail: None,
) -> Answer:
    """Train and test every cell, and answer.

    Everything is kept in `out`: the shared models and indexes, each cell's record, runs and scores, the tidy table
    `scores.tsv`, and `trials.json`.

    Args:
        config: The comparison.
        out: Its folder.
        resume: Go on with what is in the folder.
        jobs: Cells at a time, each in a process of its own, with `training.threads` threads.
        notify: Told what is being done.
        progress: Told `started`, `done` or `failed` of a cell, with a detail to show.

    Raises:
        ConfigError: If the folder is not empty and `resume` was not given, or it holds another comparison.
        ModelError: If students of different size would be compared.
        KivukoError: If an input cannot be read, or a cell failed.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(out):
        _claim(config, out, resume=resume)
        with Workers(config, out, jobs) as workers:
            prepare(config, out, workers, notify)
            _same_size(config, Layout(out))
            for line in left_out(config):
                notify(line)
            # Before the cells: what is wrong with a collection is found in minutes, not after hours.
            _run_baselines(config, out, workers, notify)
            trials = tuning_cells(config)
            # The teacher reads the batches of a language and seed once, in the first cell that sees them.
            train = partial(workers.run, progress=progress, first_alone=lambda cell: cell._replace(system="", trial=0))
            train(run_trial, [cell for cell in trials if not is_validated(cell, out)])
            chosen = choose(config, trials, out)
            write_json(out / TRIALS, {"chosen": chosen, "validation": _validations(trials, out)})
            cells = final_cells(config, chosen)
            train(run_cell, [cell for cell in cells if not is_scored(cell, out)])
        for cell in trials:  # those that were not chosen
            shutil.rmtree(cell.directory(out) / "model", ignore_errors=True)
        _same_conditions(config, cells, out)
        scores = [*_baseline_scores(config, out), *_scores_of(cells, out, config.most_pairs)]
        scores += _fusions(config, cells, out)
        write_scores(out / TABLE, scores)
        curve = [(cell.pairs, score) for cell in cells for score in _scores_of([cell], out, cell.pairs)]
        return answer(config, scores, curve, _records(cells, out), chosen, _validations(trials, out))


def choose(config: CompareConfig, trials: Sequence[Cell], out: Path) -> dict[str, int]:
    """Return each system's best trial, by its mean over the tuning languages; the first of equals."""
    found = _validations(trials, out)
    chosen = {}
    for system in config.systems:
        values: dict[int, list[float]] = {}
        for cell in trials:
            if cell.system == system.name:
                values.setdefault(cell.trial, []).append(found[str(cell)])
        chosen[system.name] = max(values, key=lambda trial: sum(values[trial]) / len(values[trial]), default=0)
    return chosen


def _claim(config: CompareConfig, out: Path, *, resume: bool) -> None:
    plan = out / PLAN
    if plan.exists():
        if not resume:
            raise ConfigError(f"A comparison is at {out}. Give --resume to go on with it, or another --out.")
        # Read as a config, so that what was not known when it was begun has its default.
        begun = parse_config(CompareConfig, json.loads(plan.read_text(encoding="utf-8")), origin=str(plan))
        # A translation model may be told later, of a language that had none; what counts as high-resource is of the
        # report alone.
        later = {"languages": {"__all__": {"mt_model", "high_resource"}}}
        before, told = (each.model_dump(mode="json", exclude=later) for each in (begun, config))
        # How many trials and seeds there are may grow; what a finished cell was made with may not change.
        fixed = ("teacher", "student", "dimensions", "held_out", "transplant", "training", "allow_other_sizes")
        changed = [key for key in fixed if before.get(key) != told[key]]
        for part in ("systems", "languages"):
            name = "name" if part == "systems" else "code"
            now = {each[name]: each for each in told[part]}
            changed += [f"{part}.{each[name]}" for each in before[part] if now.get(each[name], each) != each]
        for code in sorted({each.code for each in begun.languages} & {each.code for each in config.languages}):
            if begun.translation_model(code) not in (None, config.translation_model(code)):
                changed.append(f"mt_model of {code}")
        if before["tuning"] != told["tuning"]:
            changed.append("tuning")
        if changed:
            raise ConfigError(
                f"The comparison at {out} was begun with another {', '.join(changed)}. "
                "Go on with what it was begun with, or give another --out."
            )
    elif out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty and no comparison is in it. Give another --out.")
    out.mkdir(parents=True, exist_ok=True)
    write_json(plan, config.model_dump(mode="json"))


def _same_size(config: CompareConfig, layout: Layout) -> None:
    """Refuse to compare students of different size within a language, before any is trained."""
    if config.allow_other_sizes:
        return
    for language in config.languages:
        sizes: dict[int, list[str]] = {}
        for system in config.systems:
            size = start_record(layout, language.code, system.student)["parameters"]
            sizes.setdefault(size, []).append(system.name)
        if len(sizes) > 1:
            told = "; ".join(f"{size:,} parameters in {', '.join(names)}" for size, names in sizes.items())
            raise ModelError(
                f"The students of {language.code} differ in size: {told}. Give these systems students of the same "
                "size, or set allow_other_sizes to compare them all the same."
            )


def _same_conditions(config: CompareConfig, cells: Iterable[Cell], out: Path) -> None:
    """Check from the records that cells which are compared had the same size, steps, batches and start.

    Batches of shuffled pairs are not compared, nor the starts of systems that have a student of their own.
    """
    seen: dict[tuple[Any, ...], list[Any]] = {}
    for cell, record in _records(cells, out).items():
        system = config.system(cell.system)
        data = "shuffled" if system.shuffled else "translated" if system.translate_train else "bitext"
        same = [record[key] for key in ("steps", "teacher_sha256")]
        same += [] if config.allow_other_sizes else [record["parameters"]]
        same += [] if system.shuffled else [record["order_sha256"]]
        start = [record["start_sha256"]]
        expected = [
            *seen.setdefault((cell.language, cell.seed, cell.pairs, data), same),
            *seen.setdefault((cell.language, system.student), start),
        ]
        if expected != same + start:
            raise ModelError(
                f"{cell} had other conditions than the systems beside it: expected {expected}, got {same + start}. "
                "Remove its folder to run it again."
            )


def _validations(trials: Iterable[Cell], out: Path) -> dict[str, float]:
    return {
        str(cell): json.loads((cell.directory(out) / "validation.json").read_text(encoding="utf-8"))["validation"]
        for cell in trials
    }


def _records(cells: Iterable[Cell], out: Path) -> dict[Cell, dict[str, Any]]:
    return {cell: json.loads((cell.directory(out) / RECORD).read_text(encoding="utf-8")) for cell in cells}


def _scores_of(cells: Iterable[Cell], out: Path, pairs: int) -> list[Score]:
    return [score for cell in cells if cell.pairs == pairs for score in read_scores(cell.directory(out) / SCORES)]


def _run_baselines(config: CompareConfig, out: Path, workers: Workers, notify: Callable[[str], None]) -> None:
    layout = Layout(out)
    waiting = [
        BaselineRun(language.code, baseline)
        for language in config.languages
        for baseline in config.baselines
        if not (layout.baseline(language.code, str(baseline)) / RECORD).exists()
    ]

    # What one translates the other reads from the cache.
    machine = {Baseline.MT, Baseline.MT_BM25}
    workers.run(
        run_baseline,
        waiting,
        progress=saying(notify),
        first_alone=lambda item: item.language if item.baseline in machine else item,
    )


def _baseline_scores(config: CompareConfig, out: Path) -> list[Score]:
    places = [
        Layout(out).baseline(language.code, str(baseline)) / SCORES
        for language in config.languages
        for baseline in config.baselines
    ]
    return [score for place in places if place.exists() for score in read_scores(place)]


def _fusions(config: CompareConfig, cells: Sequence[Cell], out: Path) -> list[Score]:
    layout = Layout(out)
    names = {system.name for system in config.systems}
    found: list[Score] = []
    for fusion in config.fusions:
        for language in config.languages:
            for seed in config.seeds:
                places: Mapping[str, Path] = {
                    cell.system: cell.directory(out)
                    for cell in cells
                    if (cell.language, cell.seed, cell.pairs) == (language.code, seed, config.most_pairs)
                }
                directories = [
                    places[name] if name in names else layout.baseline(language.code, name) for name in fusion.systems
                ]
                place = layout.baseline(language.code, fusion.name) / f"seed{seed}"
                found += run_fusion(language, fusion, seed, directories, place)
    return found
