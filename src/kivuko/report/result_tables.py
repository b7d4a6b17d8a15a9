"""The tables of a comparison's results: means, tests, analyses of variance, share of the ceiling, resource gap."""

from collections.abc import Mapping, Sequence

from kivuko.evaluation.equivalence import Comparison
from kivuko.evaluation.language_gap import CeilingShare, ResourceGap
from kivuko.evaluation.variance import Effect, MixedModel
from kivuko.experiment.comparison.answer import Answer, Mean, TaskAnswer
from kivuko.report.document import Table, code, strong
from kivuko.report.numbers import NOTHING, between, listed, number, p_value, percent, signed
from kivuko.report.verdict import Kind, kind_of


def means_of(answer: Answer, measure: str) -> dict[tuple[str, str], Mean]:
    """Return the means of a measure by system and language."""
    return {(mean.system, mean.language): mean for mean in answer.means if mean.measure == measure}


def languages_of(answer: Answer, measure: str) -> list[str]:
    """Return the languages that have a measure, in the order of the configuration."""
    present = {mean.language for mean in answer.means if mean.measure == measure}
    return [language.code for language in answer.config.languages if language.code in present]


def overall_means(answer: Answer, measure: str) -> dict[str, float]:
    """Return the mean over languages of each system that was run in all of them."""
    means, languages = means_of(answer, measure), languages_of(answer, measure)
    return {
        system: sum(means[system, language].mean for language in languages) / len(languages)
        for system in answer.systems
        if all((system, language) in means for language in languages)
    }


def means_table(answer: Answer, measure: str) -> Table:
    """Return systems against languages, the best in bold and ceilings marked and apart."""
    means, languages, overall = means_of(answer, measure), languages_of(answer, measure), overall_means(answer, measure)
    systems = [system for system in answer.systems if any(key[0] == system for key in means)]
    kinds = {system: kind_of(answer.config, system) for system in systems}
    rivals = [system for system in systems if kinds[system] is not Kind.CEILING]
    best = {
        language: max((number(means[s, language].mean) for s in rivals if (s, language) in means), default="")
        for language in languages
    }
    best_overall = max((number(overall[system]) for system in rivals if system in overall), default="")
    rows = []
    for system in systems:
        row = [code(system), kinds[system] + (", reference" if system == answer.config.reference_name else "")]
        is_rival = system in rivals
        for language in languages:
            row.append(_mean(means.get((system, language)), best[language] if is_rival else ""))
        if len(languages) > 1:
            row.append(_bold(number(overall.get(system)), best_overall if is_rival else ""))
        rows.append(row)
    queries = listed(
        [f"{language} {max(m.queries for k, m in means.items() if k[1] == language):,}" for language in languages]
    )
    caption = (
        f"{measure}: mean over queries and seeds, ± the standard deviation of the seeds' means where there are "
        f"several. Best in bold, ceilings apart. Queries: {queries}."
    )
    header = ["system", "role", *languages, *(["mean"] if len(languages) > 1 else [])]
    return Table(f"means-{_key(measure)}", caption, header, "ll" + "r" * (len(header) - 2), rows)


def tests_table(answer: Answer, task: TaskAnswer, comparisons: Sequence[Comparison], *, overall: bool) -> Table:
    """Return all figures of the paired tests, a row for each comparison; of other pairs, with what they are against."""
    confidence, reference = percent(answer.config.confidence), comparisons[0].baseline
    pairs = comparisons[0] in task.pairs
    header = ["system", *(["against"] if pairs else []), *([] if overall else ["language"])]
    named = "l" * len(header)
    header += ["difference", f"{confidence} interval", "verdict"]
    header += ["Holm p", "TOST Holm p", "random. p", "t p", "TOST p", "d_z", "mean", "queries"]
    rows = [
        [
            code(c.system),
            *([code(c.baseline)] if pairs else []),
            *([] if overall else [c.language]),
            signed(c.difference),
            between(c.interval),
            c.verdict if c.verdict == "undecided" else strong(c.verdict),
            *map(p_value, (c.holm_p, c.tost_holm_p, c.randomization_p, c.t_p, c.tost_p)),
            *(signed(c.d_z), number(c.system_mean), f"{c.queries:,}"),
        ]
        for c in comparisons
    ]
    where = "over all languages, each counting the same" if overall else "language by language"
    what = "of other pairs" if pairs else f"against {code(reference)}"
    caption = (
        f"{task.measure} {what}, {where}: paired t test, randomization test and its Holm "
        f"adjustment, two one-sided tests within ±{number(answer.config.equivalence_margin)}, effect size d_z, "
        "bootstrap interval of the difference over queries."
    )
    kind = "overall" if overall else "languages"
    key = f"{'pairs' if pairs else 'tests'}-{kind}-{_key(task.measure)}"
    return Table(key, caption, header, named + "rrl" + "r" * 8, rows)


def effects_table(measure: str, effects: Sequence[Effect], *, over: str) -> Table:
    """Return an analysis of variance."""
    header = ["effect", "sum of squares", "df", "error df", "F", "p", "partial η²", "ε"]
    rows = [
        [
            effect.name.replace(" x ", " × "),
            *(number(effect.sum_of_squares), number(effect.df, 0), number(effect.error_df, 0), number(effect.f, 2)),
            *(p_value(effect.p_value), number(effect.partial_eta_squared), number(effect.epsilon)),
        ]
        for effect in effects
    ]
    errors = {
        "queries": "systems within queries, with Greenhouse and Geisser's ε; languages between queries",
        "seeds": "the error is what training again changes",
    }
    caption = f"{measure}: analysis of variance over {over} ({errors[over]}), trained systems."
    return Table(f"anova-{over}-{_key(measure)}", caption, header, "l" + "r" * 7, rows)


def mixed_table(measure: str, mixed: MixedModel, *, reference: str) -> Table:
    """Return the fixed effects of the mixed model."""
    rows = [
        [
            code(c.name),
            signed(c.estimate),
            number(c.standard_error),
            f"[{number(c.low)}, {number(c.high)}]",
            p_value(c.p_value),
        ]
        for c in mixed.coefficients
    ]
    caption = (
        f"{measure}: linear mixed model with a random intercept for each of {mixed.queries:,} queries, by REML; "
        f"systems against {code(reference)}, languages against the first."
    )
    header = ["fixed effect", "estimate", "standard error", "95% interval (Wald)", "p"]
    return Table(f"mixed-{_key(measure)}", caption, header, "lrrrr", rows)


def shares_table(measure: str, ceiling: str, shares: Mapping[str, Sequence[CeilingShare]]) -> Table:
    """Return which share of the ceiling systems reach."""
    languages = list(dict.fromkeys(share.language for found in shares.values() for share in found))
    rows = []
    for system, found in shares.items():
        by_language = {share.language: share for share in found}
        entries = [by_language.get(language) for language in languages]
        rows.append(
            [code(system), *(NOTHING if s is None else f"{number(s.share)} {between(s.interval)}" for s in entries)]
        )
    caption = f"{measure}: share of the ceiling, {code(ceiling)}, with a 95% bootstrap interval over queries."
    return Table(f"shares-{_key(measure)}", caption, ["system", *languages], "l" + "r" * len(languages), rows)


def gaps_table(answer: Answer, measure: str, gaps: Mapping[str, ResourceGap]) -> Table:
    """Return how far systems are behind in low-resource languages."""
    present = set(languages_of(answer, measure))
    sides: dict[bool, list[str]] = {True: [], False: []}
    for language in answer.config.languages:
        if language.code in present:
            sides[language.high_resource].append(language.code)
    rows = [
        [code(system), number(gap.high), number(gap.low), signed(gap.gap), between(gap.interval)]
        for system, gap in gaps.items()
    ]
    caption = (
        f"{measure}: gap between high-resource ({listed(sides[True])}) and low-resource ({listed(sides[False])}) "
        "languages. Their queries differ: compare a gap with that of the ceiling, not with zero."
    )
    header = ["system", "high", "low", "gap", "95% interval"]
    return Table(f"gap-{_key(measure)}", caption, header, "lrrrr", rows)


def _mean(mean: Mean | None, best: str) -> str:
    if mean is None:
        return NOTHING
    deviation = "" if mean.seed_deviation is None else f" ± {number(mean.seed_deviation)}"
    return _bold(number(mean.mean), best) + deviation


def _bold(text: str, best: str) -> str:
    return strong(text) if text == best else text


def _key(measure: str) -> str:
    """Return a measure as a part of an address.

    Example:
        >>> _key("afriqa RR@10")
        'afriqa-rr-10'
    """
    return "-".join("".join(letter if letter.isalnum() else " " for letter in measure.lower()).split())
