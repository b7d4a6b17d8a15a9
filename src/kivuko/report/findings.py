"""The report of a comparison, section by section."""

from collections.abc import Sequence
from pathlib import Path

from kivuko import __version__
from kivuko.evaluation.equivalence import OVERALL
from kivuko.experiment.comparison.answer import Answer, TaskAnswer
from kivuko.experiment.comparison.config import Baseline, CompareConfig, SystemConfig
from kivuko.experiment.comparison.left_out import left_out
from kivuko.experiment.provenance import source_commit
from kivuko.report import result_tables as tables
from kivuko.report.document import Block, Document, Items, Picture, Section, Subheading, Table, code, plain
from kivuko.report.numbers import NOTHING, between, counted, listed, number, p_is, percent
from kivuko.report.verdict import answer_blocks, overall_of, title_of

ROLES = (
    "A student is trained on the sentence pairs; a control too, but on shuffled pairs or by position alone. The floor "
    "is the teacher with the question as it is asked, the start is the student before training, and a ceiling is given "
    "translations by hand."
)


def document_of(answer: Answer, *, command: str) -> Document:
    """Return everything that a comparison found, and under which conditions.

    Args:
        answer: What it found.
        command: What was called.
    """
    sections = [
        ("The answer", answer_blocks(answer)),
        ("Results", _results(answer)),
        ("Tests", _tests(answer)),
        ("Variance", _variance(answer)),
        ("Ceiling and language gap", _gaps(answer)),
        ("Learning curves", _curves(answer)),
        ("What was trained and tuned", _systems(answer)),
        ("Cost", _costs(answer)),
        ("Other measures", _other_measures(answer)),
        ("What was left out", _left_out(answer)),
        ("Conditions", _conditions(answer, command)),
    ]
    return Document(title_of(answer.config), [Section(heading, blocks) for heading, blocks in sections if blocks])


def _results(answer: Answer) -> list[Block]:
    found: list[Block] = [ROLES, *(tables.means_table(answer, task.measure) for task in answer.tasks)]
    confidence = percent(answer.config.confidence)
    found.append(Picture("measure", f"The same means with {confidence} bootstrap intervals over queries."))
    return found


def _tests(answer: Answer) -> list[Block]:
    found: list[Block] = []
    for task in answer.tasks:
        for comparisons in (task.comparisons, task.pairs):
            main = overall_of(comparisons)
            if main:
                found.append(tables.tests_table(answer, task, main, overall=main[0].language == OVERALL))
            alone = [comparison for comparison in comparisons if comparison not in main]
            if alone:
                found.append(tables.tests_table(answer, task, alone, overall=False))
    return found


def _variance(answer: Answer) -> list[Block]:
    found: list[Block] = []
    trained = [system.name for system in answer.config.systems]
    first = answer.config.reference_name if answer.config.reference_name in trained else trained[0]
    for task in answer.tasks:
        if task.by_query:
            found.append(tables.effects_table(task.measure, task.by_query, over="queries"))
        if task.by_seed:
            found.append(tables.effects_table(task.measure, task.by_seed, over="seeds"))
        if task.mixed:
            share = number(task.mixed.intraclass_correlation)
            found += [
                tables.mixed_table(task.measure, task.mixed, reference=first),
                f"In the mixed model of {task.measure}, the Wald test of all systems being the same has "
                f"{p_is(task.mixed.system_p)}; {share} of the variance is the query's, whatever the system.",
            ]
    return found


def _gaps(answer: Answer) -> list[Block]:
    found: list[Block] = []
    for task in answer.tasks:
        if task.shares:
            found.append(tables.shares_table(task.measure, str(Baseline.TRANSLATED), task.shares))
        if task.gaps:
            found.append(tables.gaps_table(answer, task.measure, task.gaps))
    return found


def _curves(answer: Answer) -> list[Block]:
    if not answer.curve:
        return []
    config = answer.config
    seeds = counted(len(config.curve_seeds or config.seeds[:1]), "seed")
    found: list[Block] = [
        Picture(
            "curve",
            f"The measure by the number of sentence pairs that a student saw, with {percent(config.confidence)} "
            "bootstrap intervals over queries; systems stand beside each other, not on top.",
        )
    ]
    for task in answer.tasks:
        points = [point for point in answer.curve if point.measure == task.measure]
        sizes = sorted({point.pairs for point in points})
        values = {(p.system, p.language, p.pairs): f"{number(p.mean)} {between(p.interval)}" for p in points}
        rows = [
            [code(system), language, *(values.get((system, language, size), NOTHING) for size in sizes)]
            for system in answer.systems
            for language in tables.languages_of(answer, task.measure)
            if any((system, language, size) in values for size in sizes)
        ]
        caption = (
            f"{task.measure} by sentence pairs: mean over {counted(len(config.seeds), 'seed')} at "
            f"{config.most_pairs:,} pairs, over {seeds} at fewer; {percent(config.confidence)} intervals over queries."
        )
        header = ["system", "language", *(f"{size:,}" for size in sizes)]
        key = f"curve-{task.task.lower().replace('.', '-').replace('_', '-')}"
        found.append(Table(key, caption, header, "ll" + "r" * len(sizes), rows))
    return found


def _systems(answer: Answer) -> list[Block]:
    config, tuning = answer.config, answer.config.tuning
    counts = sorted({len(config.trials_of(system)) for system in config.systems})
    by_place: dict[str, list[str]] = {}
    for tuned in tuning.languages or [language.code for language in config.languages]:
        place = "a collection of questions" if config.language(tuned).validation else "held-out sentence pairs"
        by_place.setdefault(place, []).append(tuned)
    used = listed([f"{place} of {listed(languages)}" for place, languages in by_place.items()])
    given = f"Every system was given the same number of trials, {listed([str(count) for count in counts])}"
    if max(counts) > 1:
        pairs = tuning.pairs or config.most_pairs
        given += f"; the best was chosen on {used} ({pairs:,} pairs, seed {tuning.seed})."
    else:
        given += ": there was nothing to choose."
    described = {system.name: _objectives(system) for system in config.systems}
    rows = [[code(name), text] for name, text in described.items()]
    trials = [
        [code(trial.system), plain(trial.trial), number(trial.validation), "**chosen**" if trial.chosen else ""]
        for trial in answer.trials
    ]
    return [
        given,
        Table("systems", "What each system is trained with.", ["system", "objective"], "ll", rows),
        Table("trials", "What was tried.", ["system", "trial", "validation", "choice"], "llrl", trials),
    ]


def _objectives(system: SystemConfig) -> str:
    told = []
    for objective in system.objectives:
        weight = "" if objective.weight == 1 else f"{objective.weight:g} × "
        given = {name: getattr(objective, name) for name in objective.options}
        options = ", ".join(f"{name} {_value(value)}" for name, value in given.items() if value is not None)
        told.append(f"{weight}{objective.name}" + (f" ({options})" if options else ""))
    data = "; on shuffled pairs" if system.shuffled else ""
    data += "; on translated queries and passages" if system.translate_train else ""
    return " + ".join(told) + data


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else plain(value)


def _costs(answer: Answer) -> list[Block]:
    if not answer.costs:
        return []
    sizes = {cost.parameters for cost in answer.costs}
    told = (
        f"All students have the same number of parameters, {max(sizes):,} in the largest language."
        if len(sizes) == 1
        else f"The students differ in size: from {min(sizes):,} to {max(sizes):,} parameters."
    )
    overall = [tables.overall_means(answer, task.measure) for task in answer.tasks]
    rows = [
        [
            code(cost.system),
            *(f"{cost.parameters:,}", f"{cost.steps:,}", number(cost.cpu_minutes, 1), f"{cost.peak_memory_mib:,}"),
            *(number(means.get(cost.system)) for means in overall),
        ]
        for cost in answer.costs
    ]
    header = ["system", "parameters", "steps", "CPU minutes", "peak MiB", *(task.measure for task in answer.tasks)]
    caption = "What training one student took, mean over languages and seeds (memory: the most)."
    return [
        told,
        Table("cost", caption, header, "l" + "r" * (len(header) - 1), rows),
        Picture("cost", "CPU minutes of training one student against the mean over languages."),
    ]


def _other_measures(answer: Answer) -> list[Block]:
    tested = {task.measure for task in answer.tasks}
    others = [measure for measure in dict.fromkeys(mean.measure for mean in answer.means) if measure not in tested]
    told = "Not tested for significance: the first measure of a task, above, is the one that was chosen beforehand."
    return [told, *(tables.means_table(answer, measure) for measure in others)] if others else []


def _left_out(answer: Answer) -> list[Block]:
    found: list[Block] = []
    for task in answer.tasks:
        entries = [*map(plain, task.unanswered), *_untested(answer, task)]
        entries += map(plain, left_out(answer.config, task.task))
        if entries:
            found += [Subheading(task.measure)] if len(answer.tasks) > 1 else []
            found.append(Items(list(dict.fromkeys(entries))))
    return found or ["Nothing: all that was asked could be answered."]


def _untested(answer: Answer, task: TaskAnswer) -> list[str]:
    overall = tables.overall_means(answer, task.measure)
    partly = [name for name, _ in tables.means_of(answer, task.measure) if name not in overall]
    named = [code(name) for name in dict.fromkeys(partly)]
    told = [f"{listed(named)}: not run in every language, and in the tables of means only."] if named else []
    if not task.shares:
        told.append(f"Share of the ceiling: {code(Baseline.TRANSLATED)} was not run in every language of {task.task}.")
    if not task.gaps:
        told.append("Language gap: the languages are not marked as high- and low-resource, or only of one kind.")
    return told


def _conditions(answer: Answer, command: str) -> list[Block]:
    config, training, commit = answer.config, answer.config.training, source_commit()
    rows = [
        ("command", code(command)),
        ("this report by", f"kivuko {__version__}" + (f" at {commit}" if commit else "")),
        ("trained by", listed(answer.trained_by)),
        ("teacher", code(_short(config.teacher))),
        ("student", listed(_students(config))),
        ("embedding dimensions", str(config.dimensions) if config.dimensions else "the teacher's"),
        ("reference", code(config.reference_name)),
        ("seeds", listed([str(seed) for seed in config.seeds])),
        ("sentence pairs", listed([f"{pairs:,}" for pairs in sorted(config.pairs)])),
        ("held out", f"{config.held_out:,} pairs of each language"),
        ("batch size", f"{training.batch_size:,} pairs"),
        (
            "learning rates before trials",
            f"{training.learning_rate:g}; word embeddings {training.embedding_learning_rate:g}",
        ),
        ("longest sentence", f"{training.max_tokens:,} tokens"),
        ("precision", training.precision),
        ("margin of equivalence", f"±{number(config.equivalence_margin)}"),
        ("confidence", percent(config.confidence)),
        ("other student sizes", "allowed" if config.allow_other_sizes else "refused"),
        ("items of tasks and validation in the bitext", "allowed" if config.allow_leaks else "refused"),
    ]
    if config.grows:
        grown = config.transplant.model_dump()
        told = [f"{plain(key)} {'learned' if value is None else value}" for key, value in grown.items()]
        rows.append(("how students are grown", ", ".join(told)))
    if {Baseline.MT, Baseline.MT_BM25} & set(config.baselines):
        models = {each.code: config.translation_model(each.code) for each in config.languages}
        rows.append(
            (
                "translation models",
                listed([f"{language} {code(_short(name or ''))}" for language, name in models.items()]),
            )
        )
    languages = [
        [
            language.code,
            "high-resource" if language.high_resource else NOTHING,
            listed(
                [
                    code(source.name) + (f" ({plain(source.license)})" if source.license else "")
                    for source in language.bitext
                ]
            ),
            listed(
                [
                    f"{task.name} ({code(task.task or Path(task.place).name)}, {plain(task.split)}: {task.measures})"
                    + ("; fewer texts than were published are allowed" if task.allow_incomplete else "")
                    for task in language.tasks
                ]
            ),
        ]
        for language in config.languages
    ]
    return [
        Table("conditions", "What the comparison was told.", ["condition", "value"], "ll", rows),
        Table("languages", "Languages.", ["language", "resources", "bitext", "tested on"], "llll", languages),
    ]


def _students(config: CompareConfig) -> list[str]:
    """Say what students start from: the comparison's own, then those of single systems."""
    told = []
    if None in config.starts:
        own = code(_short(config.student)) if config.student else "grown on the teacher, one for each language"
        told.append(own)
    for student in config.starts:
        if student is not None:
            systems = listed([code(system.name) for system in config.systems if system.student == student])
            told.append(f"{code(_short(student))} of {systems}")
    return told


def _short(name: str) -> str:
    """Leave out the folders of a path, which are of one machine alone."""
    parts: Sequence[str] = name.rstrip("/").split("/")
    return parts[-1] if name.startswith(("/", "~", ".")) else name
