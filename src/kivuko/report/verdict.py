"""The answer of a comparison in plain words, which never say more than the tests do."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from kivuko.config import ObjectiveName
from kivuko.evaluation.equivalence import OVERALL, Comparison, Verdict
from kivuko.experiment.comparison.answer import Answer, TaskAnswer
from kivuko.experiment.comparison.config import Baseline, CompareConfig
from kivuko.report.document import Block, Items, Subheading, code
from kivuko.report.numbers import between, counted, listed, number, p_is, percent, signed

_BASELINES = {
    Baseline.ZERO_SHOT: "floor",
    Baseline.UNTRAINED: "start",
    Baseline.TRANSLATED: "ceiling",
    Baseline.TRANSLATED_BM25: "ceiling",
}


class Kind(StrEnum):
    """What a system is in a comparison."""

    STUDENT = "student"
    CONTROL = "control"
    FUSION = "fusion"
    BASELINE = "baseline"
    START = "start"
    FLOOR = "floor"
    CEILING = "ceiling"


def kind_of(config: CompareConfig, name: str) -> Kind:
    """Say what a system is.

    A control is trained on shuffled pairs or by position alone; a ceiling sees translations by hand, in a fusion too.
    """
    for system in config.systems:
        if system.name == name:
            if system.translate_train:
                return Kind.BASELINE
            return Kind.CONTROL if system.is_control else Kind.STUDENT
    for fusion in config.fusions:
        if fusion.name == name:
            parts = [kind_of(config, part) for part in fusion.systems]
            return Kind.CEILING if Kind.CEILING in parts else Kind.FUSION
    return Kind(_BASELINES.get(Baseline(name), "baseline"))


def title_of(config: CompareConfig) -> str:
    """Return the question."""
    size = "" if config.allow_other_sizes else ", at the same student size"
    reference = config.reference_name
    if kind_of(config, reference) is Kind.STUDENT:
        objectives = {objective.name for objective in config.system(reference).objectives}
        if objectives == {ObjectiveName.TRANSPORT}:
            return f"Optimal transport or knowledge distillation{size}?"
    return f"Which systems differ from {code(reference)}{size}?"


def answer_blocks(answer: Answer) -> list[Block]:
    """Return the answer in words, task by task, and how to read it."""
    blocks: list[Block] = []
    for task in answer.tasks:
        if len(answer.tasks) > 1:
            blocks.append(Subheading(task.measure))
        blocks += _task(answer, task)
    return [*blocks, how_to_read(answer.config)]


def how_to_read(config: CompareConfig) -> str:
    """Say what the verdicts mean and what they do not."""
    alpha, margin = percent(1 - config.confidence), number(config.equivalence_margin)
    apart = ", those of other pairs by themselves" if config.also_test else ""
    again = (
        "what training again would change is asked by the analysis of variance over seeds"
        if len(config.seeds) > 1
        else "what training again would change is not known from one seed"
    )
    return (
        f"How to read this: better and worse mean that the randomization test over queries has a Holm p below "
        f"{alpha}, equivalent that two one-sided t tests (TOST, Holm p below {alpha}) keep the difference within "
        f"±{margin}, the margin that the configuration gives; a difference that is real but surely smaller counts as "
        "equivalent. Undecided means that neither was shown, not that systems are the same. p values are adjusted "
        f"together for all comparisons of a task{apart}, not across tasks. The unit is the query, with the mean over "
        f"the seeds as its value: the tests speak of other queries for these students; {again}."
    )


def overall_of(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return one comparison for each system or pair: over all languages, or in the only one."""
    return [comparison for comparison in comparisons if comparison.language == OVERALL] or list(comparisons)


def _task(answer: Answer, task: TaskAnswer) -> list[Block]:
    found = overall_of(task.comparisons)
    if not found:
        return [f"On {task.measure} no system could be tested: {listed(task.unanswered) or 'there was no other.'}"]
    reference, first = found[0].baseline, found[0]
    languages = [c.language for c in task.comparisons if c.system == first.system and c.language != OVERALL]
    where = (
        f"Against {code(reference)} ({number(first.baseline_mean)}), over {listed(languages)} on {task.measure} "
        f"({counted(first.queries, 'query')}, {counted(len(answer.config.seeds), 'seed')} of each trained system)"
    )
    kinds = {comparison.system: kind_of(answer.config, comparison.system) for comparison in found}
    students = [comparison for comparison in found if kinds[comparison.system] is Kind.STUDENT]
    order = list(Kind)
    ordered = sorted(found, key=lambda comparison: order.index(kinds[comparison.system]))
    return [
        f"{where}: {_counts(students, answer.config)}",
        Items([_item(c, _named(c.system, kinds[c.system]), task.comparisons, answer.config) for c in ordered]),
        *_pairs(task, answer.config),
        *_overall_question(task, 1 - answer.config.confidence),
    ]


def _counts(students: Sequence[Comparison], config: CompareConfig) -> str:
    if not students:
        return "no other student was tested."
    by_verdict: dict[Verdict, list[str]] = {"better": [], "worse": [], "equivalent": [], "undecided": []}
    for comparison in students:
        by_verdict[comparison.verdict].append(code(comparison.system))
    words: Mapping[Verdict, str] = {
        "better": "better",
        "worse": "worse",
        "equivalent": f"equivalent within ±{number(config.equivalence_margin)}",
        "undecided": "undecided",
    }
    told = [f"{len(names)} {words[key]} ({listed(names)})" for key, names in by_verdict.items() if names]
    begin = "" if by_verdict["better"] else "none was shown to be better; "
    return f"of {counted(len(students), 'other student')}, {begin}{listed(told)}."


def _pairs(task: TaskAnswer, config: CompareConfig) -> list[Block]:
    if not task.pairs:
        return []

    def named(comparison: Comparison) -> str:
        system, other = (_named(name, kind_of(config, name)) for name in (comparison.system, comparison.baseline))
        return f"{system} against {other}"

    items = [_item(comparison, named(comparison), task.pairs, config) for comparison in overall_of(task.pairs)]
    return ["Other pairs that the configuration asks for, with p values adjusted among these alone:", Items(items)]


def _named(name: str, kind: Kind) -> str:
    return code(name) + ("" if kind is Kind.STUDENT else f" ({kind})")


def _item(comparison: Comparison, named: str, among: Sequence[Comparison], config: CompareConfig) -> str:
    holm, tost = f"Holm {p_is(comparison.holm_p)}", f"TOST Holm {p_is(comparison.tost_holm_p)}"
    margin = number(config.equivalence_margin)
    match comparison.verdict:
        case "better" | "worse":
            told = f"{holm}: **{comparison.verdict}**."
        case "equivalent":
            told = f"{tost}: **equivalent** within ±{margin}."
        case "undecided":
            told = f"{holm}, {tost}: **undecided**."
    text = f"{named}: {signed(comparison.difference)} {between(comparison.interval)}, {told}"
    by_verdict: dict[str, list[str]] = {}
    for each in among:
        same = (each.system, each.baseline) == (comparison.system, comparison.baseline)
        if same and each.language != comparison.language:
            by_verdict.setdefault(each.verdict, []).append(each.language)
    alone = "; ".join(f"{verdict} in {listed(languages)}" for verdict, languages in by_verdict.items())
    return f"{text} By language: {alone}." if alone else text


def _overall_question(task: TaskAnswer, alpha: float) -> list[str]:
    """Say whether the choice of a system matters at all, to queries and to training runs."""
    asked = {"between queries": task.by_query, "between training runs": task.by_seed}
    told = [
        f"{where}, it {'does' if effect.p_value < alpha else 'was not shown to'} (F = {number(effect.f, 2)}, "
        f"{p_is(effect.p_value)}, partial η² = {number(effect.partial_eta_squared)})"
        for where, effects in asked.items()
        for effect in effects
        if effect.name == "system"
    ]
    if not told:
        return []
    question = "Does it matter at all which of the trained systems is taken, controls left out?"
    return [f"{question} By analysis of variance {listed(told)}."]
