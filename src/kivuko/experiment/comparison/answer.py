"""What the scores of a comparison say, with their uncertainty."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from kivuko.errors import DataError
from kivuko.evaluation.bootstrap import bootstrap_intervals
from kivuko.evaluation.equivalence import Comparison, compare_pairs, compare_systems
from kivuko.evaluation.language_gap import CeilingShare, ResourceGap, ceiling_shares, resource_gap
from kivuko.evaluation.scores import Score, score_matrices
from kivuko.evaluation.significance import Interval
from kivuko.evaluation.variance import Effect, MixedModel, mixed_model, query_anova, seed_anova
from kivuko.experiment.comparison.cells import Cell
from kivuko.experiment.comparison.config import Baseline, CompareConfig
from kivuko.experiment.comparison.task_config import TaskConfig

Found = TypeVar("Found")


class Mean(NamedTuple):
    """One entry of the main table.

    Attributes:
        system: Its name.
        language: ISO 639 code.
        measure: Task and measure.
        mean: Over queries and seeds.
        interval: Bootstrap interval over queries of the mean over seeds.
        seed_deviation: Standard deviation of the seeds' means; None with one seed.
        queries: Number of queries.
        seeds: Number of seeds.
    """

    system: str
    language: str
    measure: str
    mean: float
    interval: Interval
    seed_deviation: float | None
    queries: int
    seeds: int


class TaskAnswer(NamedTuple):
    """What was found on one task, by its first measure.

    Attributes:
        task: Its name.
        measure: Task and measure.
        comparisons: Every system against the reference, in each language and overall.
        by_query: Analysis of variance over queries, where there are several systems.
        by_seed: Analysis of variance over seeds, where there are several.
        mixed: The mixed model, where there are several systems.
        shares: Share of the ceiling, where the ceiling was run.
        gaps: System -> gap between high- and low-resource languages, where there are both.
        unanswered: Why a part is missing.
        pairs: The comparisons of `also_test`, in each language and overall.
    """

    task: str
    measure: str
    comparisons: Sequence[Comparison]
    by_query: Sequence[Effect]
    by_seed: Sequence[Effect]
    mixed: MixedModel | None
    shares: Mapping[str, Sequence[CeilingShare]]
    gaps: Mapping[str, ResourceGap]
    unanswered: Sequence[str]
    pairs: Sequence[Comparison] = ()


class CurvePoint(NamedTuple):
    """A system after some sentence pairs: the mean over queries and seeds, and its bootstrap interval over queries."""

    system: str
    language: str
    measure: str
    pairs: int
    mean: float
    interval: Interval


class Cost(NamedTuple):
    """What a system's training took, mean over its runs of full size."""

    system: str
    parameters: int
    steps: int
    cpu_minutes: float
    peak_memory_mib: int


class TrialResult(NamedTuple):
    """A trial and what came out, mean over the tuning languages; None where there was no choice to make."""

    system: str
    trial: str
    validation: float | None
    chosen: bool


class Answer(NamedTuple):
    """The outcome of a comparison.

    Attributes:
        config: What was compared.
        systems: All names, in the order of the tables.
        means: Every system, language and measure.
        tasks: The tests, task by task.
        curve: Points of the learning curves; empty with one size.
        costs: What training took.
        trials: What was tried.
        trained_by: Versions, commits and devices that trained the cells, each once.
    """

    config: CompareConfig
    systems: Sequence[str]
    means: Sequence[Mean]
    tasks: Sequence[TaskAnswer]
    curve: Sequence[CurvePoint]
    costs: Sequence[Cost]
    trials: Sequence[TrialResult]
    trained_by: Sequence[str] = ()


def answer(
    config: CompareConfig,
    scores: Sequence[Score],
    curve: Iterable[tuple[int, Score]],
    records: Mapping[Cell, Mapping[str, Any]],
    chosen: Mapping[str, int],
    validation: Mapping[str, float],
) -> Answer:
    """Work out tables, tests and curves from the rows of a comparison.

    Args:
        config: The comparison.
        scores: Rows of the full size, baselines and fusions included.
        curve: Rows of all sizes with the number of pairs.
        records: What each cell's training took.
        chosen: The trial that each system has.
        validation: Each trial cell's value.
    """
    present = {score.system for score in scores}
    names = [str(baseline) for baseline in config.baselines]
    names += [system.name for system in config.systems] + [fusion.name for fusion in config.fusions]
    tasks = {task.name: task for language in config.languages for task in language.tasks}
    return Answer(
        config,
        [name for name in names if name in present],
        _means(scores, config.confidence),
        [_task(config, scores, name, _tested(scores, task)) for name, task in tasks.items()],
        _curve(curve, config.confidence) if len(config.pairs) > 1 else [],
        _costs(config, records),
        _trials(config, chosen, validation),
        sorted({_trained_by(record) for record in records.values()}),
    )


def _tested(scores: Iterable[Score], task: TaskConfig) -> str:
    """Return the measure of a task that is tested: its first one, in the first of its views."""
    first = task.measures.split()[0]
    of_task = (score.measure for score in scores if score.measure.startswith(f"{task.name} "))
    return next((measure for measure in of_task if measure.endswith(f" {first}")), f"{task.name} {first}")


def _means(scores: Sequence[Score], confidence: float) -> list[Mean]:
    found = []
    for measure, rows in _by_measure(scores).items():
        matrices = score_matrices(rows, measure)
        intervals = bootstrap_intervals([m.seed_means for m in matrices.values()], confidence=confidence)
        for ((system, language), matrix), interval in zip(matrices.items(), intervals, strict=True):
            by_seed = matrix.values.mean(axis=0)
            found.append(
                Mean(
                    system,
                    language,
                    measure,
                    float(by_seed.mean()),
                    interval,
                    float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
                    len(matrix.query_ids),
                    len(matrix.seeds),
                )
            )
    return found


def _by_measure(scores: Iterable[Score]) -> dict[str, list[Score]]:
    rows: dict[str, list[Score]] = {}
    for score in scores:
        rows.setdefault(score.measure, []).append(score)
    return rows


def _task(config: CompareConfig, scores: Sequence[Score], task: str, measure: str) -> TaskAnswer:
    rows = [score for score in scores if score.measure == measure]
    languages = {score.language for score in rows}
    # The tests over languages need systems that were run in all of them.
    run_in: dict[str, set[str]] = {}
    for row in rows:
        run_in.setdefault(row.system, set()).add(row.language)
    everywhere = [row for row in rows if run_in[row.system] == languages]
    # A control is there to be beaten, and translate-train has other data; that they differ says nothing of objectives.
    trained = [system.name for system in config.systems if not (system.is_control or system.translate_train)]
    among_trained = [row for row in everywhere if row.system in trained]
    why: list[str] = []
    told: dict[str, Any] = {
        "margin": config.equivalence_margin,
        "alpha": 1 - config.confidence,
        "same_queries": _shares_queries(config, task),
    }
    comparisons = _or_why(why, lambda: compare_systems(everywhere, config.reference_name, measure, **told))
    asked = [pair for pair in config.also_test if all(run_in.get(name) == languages for name in pair)]
    why += [
        f"{system} against {other}: not both were run in every language."
        for system, other in config.also_test
        if (system, other) not in asked
    ]
    pairs = _or_why(why, lambda: compare_pairs(everywhere, asked, measure, **told)) if asked else None
    by_query = by_seed = mixed = None
    if len(trained) > 1:
        first = config.reference_name if config.reference_name in trained else trained[0]
        by_query = _or_why(why, lambda: query_anova(among_trained, measure))
        mixed = _or_why(why, lambda: mixed_model(among_trained, measure, reference=first))
        if len(config.seeds) > 1:
            by_seed = _or_why(why, lambda: seed_anova(among_trained, measure))
    shares = _shares(config, everywhere, measure, why) if str(Baseline.TRANSLATED) in run_in else {}
    gaps = _gaps(config, everywhere, measure, languages, why)
    left_out = list(dict.fromkeys(why))
    return TaskAnswer(
        *(task, measure, comparisons or [], by_query or [], by_seed or [], mixed, shares, gaps, left_out, pairs or [])
    )


def _shares_queries(config: CompareConfig, name: str) -> bool:
    return any(task.same_queries for language in config.languages for task in language.tasks if task.name == name)


def _shares(
    config: CompareConfig, rows: Sequence[Score], measure: str, why: list[str]
) -> dict[str, Sequence[CeilingShare]]:
    ceiling = str(Baseline.TRANSLATED)
    systems = [name for name in dict.fromkeys(row.system for row in rows) if name != ceiling]
    work = partial(ceiling_shares, rows, measure, systems=systems, ceiling=ceiling, confidence=config.confidence)
    return dict(_or_why(why, work) or {})


def _gaps(
    config: CompareConfig, rows: Sequence[Score], measure: str, languages: set[str], why: list[str]
) -> dict[str, ResourceGap]:
    high = [each.code for each in config.languages if each.high_resource and each.code in languages]
    low = [each.code for each in config.languages if not each.high_resource and each.code in languages]
    gaps = {}
    for name in dict.fromkeys(row.system for row in rows if high and low):
        work = partial(resource_gap, rows, measure, system=name, high=high, low=low, confidence=config.confidence)
        if found := _or_why(why, work):
            gaps[name] = found
    return gaps


def _or_why(why: list[str], work: Callable[[], Found]) -> Found | None:
    """Do what can be done with few systems, languages or seeds; note what cannot."""
    try:
        return work()
    except DataError as error:
        why.append(str(error))
        return None


def _curve(points: Iterable[tuple[int, Score]], confidence: float) -> list[CurvePoint]:
    by_size: dict[int, list[Score]] = {}
    for pairs, score in points:
        by_size.setdefault(pairs, []).append(score)
    found = [
        CurvePoint(mean.system, mean.language, mean.measure, pairs, mean.mean, mean.interval)
        for pairs, scores in by_size.items()
        for mean in _means(scores, confidence)
    ]
    return sorted(found, key=lambda point: point[:4])


def _costs(config: CompareConfig, records: Mapping[Cell, Mapping[str, Any]]) -> list[Cost]:
    costs = []
    for system in config.systems:
        own = [
            record for cell, record in records.items() if cell.system == system.name and cell.pairs == config.most_pairs
        ]
        if own:
            costs.append(
                Cost(
                    system.name,
                    max(record["parameters"] for record in own),
                    own[0]["steps"],
                    sum(record["cpu_minutes"] for record in own) / len(own),
                    max(record["peak_memory_mib"] for record in own),
                )
            )
    return costs


def _trained_by(record: Mapping[str, Any]) -> str:
    if "kivuko" not in record:
        return "a version that did not record itself"
    commit = f" at {record['commit']}" if record["commit"] else ""
    return f"kivuko {record['kivuko']}{commit} on {record['device']}"


def _trials(config: CompareConfig, chosen: Mapping[str, int], validation: Mapping[str, float]) -> list[TrialResult]:
    results = []
    languages = config.tuning.languages or tuple(language.code for language in config.languages)
    pairs = config.tuning.pairs or config.most_pairs
    for system in config.systems:
        for number, trial in enumerate(config.trials_of(system)):
            cells = [Cell(language, system.name, number, config.tuning.seed, pairs) for language in languages]
            values = [validation[str(cell)] for cell in cells if str(cell) in validation]
            mean = sum(values) / len(values) if values else None
            results.append(TrialResult(system.name, trial.label(), mean, chosen[system.name] == number))
    return results
