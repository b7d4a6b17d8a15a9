"""Training data that hold what a language is tested on: refused, or told of where that is allowed."""

from collections.abc import Callable, Iterable

from kivuko.data.bitext import read_bitext
from kivuko.data.collections import read_collection
from kivuko.data.formats.translated_triples import read_translated_triples
from kivuko.data.leakage import JudgedTexts, Leaks, count_leaks
from kivuko.data.pairs import SentencePair
from kivuko.errors import ConfigError
from kivuko.experiment.comparison.cells import final_cells, tuning_cells
from kivuko.experiment.comparison.config import CompareConfig, LanguageConfig
from kivuko.experiment.comparison.named_tasks import collections_of

_BITEXT, _TRIPLES = "bitext", "translated triples"


def refuse_leaks(
    language: LanguageConfig,
    notify: Callable[[str], None] = lambda message: None,
    *,
    triples: Iterable[SentencePair] = (),
    allow: bool = False,
) -> dict[str, dict[str, Leaks]]:
    """Refuse training data that have items of a task or of the validation collection in them, and tell of others.

    *In them* is with the same letters and digits; what is found otherwise, as `count_leaks` has it, is told.

    Args:
        language: Whose bitext is searched.
        notify: Told what is found and not refused.
        triples: What else is trained on: translated queries, each with a passage.
        allow: Refuse nothing, and tell what is there.

    Returns:
        What was found, by the kind of training data and the task.

    Raises:
        ConfigError: With how many of what, and what to do.
    """
    data = {_BITEXT: [pair for source in language.bitext for pair in read_bitext(source).pairs]}
    if queries := list(triples):
        data[_TRIPLES] = queries
    # The directions of a task have the same texts.
    asked = [(task.name, task.collection, collections_of(task)[0]) for task in language.tasks]
    if told := language.validation:
        asked.append(("the validation", told.collection, read_collection(told.collection, split=told.split)))
    counted: dict[str, dict[str, Leaks]] = {kind: {} for kind in data}
    for name, folder, collection in asked:
        judged = JudgedTexts(collection)
        for kind, pairs in data.items():
            [found] = count_leaks(pairs, [judged])
            counted[kind][name] = found
            what = f"the {kind} of {language.code}"
            if found.training.certain and not allow:
                against = folder or "FOLDER (its texts in BEIR's layout)"
                remedy = f"with `kivuko bitext clean --against {against}`" if kind == _BITEXT else "from these files"
                raise ConfigError(
                    f"In {what} there are items of {name}. {found.summary()}. Remove them {remedy}, "
                    "or set allow_leaks to train on them all the same."
                )
            if not found.is_clean:
                how = "there are" if found.training.certain else "there are nearly or in part"
                notify(f"warning: in {what} {how} items of {name}: {found.summary()}.")
    return counted


def triples_of_all_cells(config: CompareConfig, language: LanguageConfig) -> list[SentencePair]:
    """Return what systems with `translate_train` see of a language: each translated query with each of its passages.

    Raises:
        DataError: If a file is missing or malformed.
    """
    told = language.translated
    systems = [system.name for system in config.systems if system.translate_train]
    if told is None or not systems:
        return []
    counts: dict[int, int] = {}
    # Of the same seed, fewer triples are the first of more; and a trial decides about nothing here.
    for cell in final_cells(config, dict.fromkeys(systems, 0), systems=systems) + tuning_cells(config):
        if cell.language == language.code and cell.system in systems:
            counts[cell.seed] = max(cell.pairs, counts.get(cell.seed, 0))
    seen = (
        SentencePair(passage, triple.translation)
        for seed, count in counts.items()
        for triple in read_translated_triples(told.triples, told.queries, told.passages, count=count, seed=seed)
        for passage in (triple.english, triple.negative)
    )
    return list(dict.fromkeys(seen))
