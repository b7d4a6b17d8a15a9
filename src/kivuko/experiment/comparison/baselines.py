"""Systems that are not trained: the teacher as it is, lexical search, translations, and fusions of runs."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from ir_measures import ScoredDoc

from kivuko.data.collections import Collection
from kivuko.data.trec import read_run
from kivuko.evaluation.scores import Score, write_scores
from kivuko.experiment.comparison.cells import RECORD, SCORES, Layout, run_path
from kivuko.experiment.comparison.config import Baseline, CompareConfig, FusionConfig, LanguageConfig
from kivuko.experiment.comparison.left_out import why_not
from kivuko.experiment.comparison.named_tasks import ENGLISH, directions, open_named, score_named_run
from kivuko.experiment.comparison.prepare import language_bitext
from kivuko.experiment.comparison.scoring import by_hand, read_task, score_model, score_run
from kivuko.experiment.comparison.task_config import TaskConfig
from kivuko.experiment.unfinished import write_json
from kivuko.models.encoder import load_encoder
from kivuko.models.translation import TranslatorConfig, load_translator, translate_queries
from kivuko.models.translation_cache import TranslationCache
from kivuko.models.word_lexicon import learn_word_lexicon
from kivuko.models.words import Analyzer
from kivuko.search.fusion import reciprocal_rank_fusion, weighted_fusion
from kivuko.search.lexical import LexicalIndex, build_lexical_index
from kivuko.search.psq import PSQSearcher
from kivuko.search.runs import Ranker, run_queries

_ENGLISH = Analyzer(stemmer="english")
Translate = Callable[[Collection], Collection]


class BaselineRun(NamedTuple):
    """A baseline in a language."""

    language: str
    baseline: Baseline

    def __str__(self) -> str:
        return f"{self.language}: {self.baseline}"


def run_baseline(config: CompareConfig, item: BaselineRun, out: Path) -> None:
    """Run a baseline on all tasks of a language; on none, where it needs translations and no task has them.

    Runs and scores are written, and last of all the record.

    Args:
        config: The comparison.
        item: Which baseline, in which language.
        out: The folder of the comparison, with teacher, students and indexes in it.
    """
    layout, language, baseline = Layout(out), config.language(item.language), item.baseline
    name = str(baseline)
    directory = layout.baseline(language.code, name)
    directory.mkdir(parents=True, exist_ok=True)
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    match baseline:
        case Baseline.ZERO_SHOT | Baseline.UNTRAINED | Baseline.TRANSLATED:
            model = layout.start(language.code) if baseline is Baseline.UNTRAINED else layout.teacher
            score_model(
                load_encoder(model),
                layout,
                language,
                system=name,
                seed=0,
                directory=directory,
                translated=baseline is Baseline.TRANSLATED,
            )
        case Baseline.BM25 | Baseline.TRANSLATED_BM25 | Baseline.PSQ:
            _lexical(config, language, baseline, directory)
        case Baseline.MT:
            translate = _machine_translation(config, language, layout)
            score_model(
                load_encoder(layout.teacher),
                layout,
                language,
                system=name,
                seed=0,
                directory=directory,
                translate=translate,
            )
        case Baseline.MT_BM25:
            _lexical(config, language, baseline, directory, _machine_translation(config, language, layout))
    write_json(directory / RECORD, {"baseline": name})


def run_fusion(
    language: LanguageConfig, fusion: FusionConfig, seed: int, directories: Sequence[Path], place: Path
) -> list[Score]:
    """Fuse the runs in the directories, on the tasks that all of them have.

    Args:
        language: The language.
        fusion: How.
        seed: For the rows.
        directories: Where the runs are.
        place: Where the fused runs and their scores are written.
    """
    rows: list[Score] = []
    for task in language.tasks:
        paths = [run_path(directory, task) for directory in directories]
        if not all(path.exists() for path in paths):
            continue
        runs = [read_run(path) for path in paths]
        if fusion.weights is None:
            fused = reciprocal_rank_fusion(runs)
        else:
            fused = weighted_fusion(runs, weights=fusion.weights, normalization=fusion.normalization)
        if task.task is None:
            rows += score_run(fused, read_task(task), task, language.code, fusion.name, seed, place)
            continue
        whole = open_named(task)
        asked = [{found.query_id for found in run} for run in runs]
        parts = [
            part for part in whole.parts if all(ids & {q.query_id for q in part.collection.queries} for ids in asked)
        ]
        rows += score_named_run(
            *(whole, parts, fused, task, language.code), system=fusion.name, seed=seed, directory=place
        )
    if rows:
        write_scores(place / SCORES, rows)
    return rows


def _lexical(
    config: CompareConfig,
    language: LanguageConfig,
    baseline: Baseline,
    directory: Path,
    translate: Translate | None = None,
) -> None:
    rows: list[Score] = []
    indexes: dict[Path, LexicalIndex] = {}
    translated = baseline is Baseline.TRANSLATED_BM25
    for task in language.tasks:
        if translated and task.translations is None:
            continue
        if task.task is not None:
            put = by_hand(task) if translated else translate
            rows += _lexical_named(config, language, task, baseline, directory, put)
            continue
        collection = read_task(task, translated=translated)
        asked = translate(collection) if translate else collection
        folder = Path(task.place).resolve()
        if folder not in indexes:
            indexes[folder] = build_lexical_index(collection.corpus, analyzer=_ENGLISH)
        ranker: Ranker = indexes[folder]
        if baseline is Baseline.PSQ:
            ranker = _psq(config, language, indexes[folder])
        run = _run(ranker, indexes[folder], asked, task)
        rows += score_run(run, collection, task, language.code, str(baseline), 0, directory)
    if rows:
        write_scores(directory / SCORES, rows)


def _lexical_named(
    config: CompareConfig,
    language: LanguageConfig,
    task: TaskConfig,
    baseline: Baseline,
    directory: Path,
    translate: Translate | None,
) -> list[Score]:
    """Return the rows of those parts of a named task that the baseline can take part in."""
    whole, run, parts = open_named(task), list[ScoredDoc](), []
    for part, direction in zip(whole.parts, directions(task, language.code), strict=True):
        if direction is None or why_not(baseline, task, direction, language.code):
            continue
        asked = translate(part.collection) if translate else part.collection
        analyzer = _ENGLISH if direction.documents == ENGLISH else Analyzer()
        index = build_lexical_index(part.collection.corpus, analyzer=analyzer)
        ranker: Ranker = _psq(config, language, index) if baseline is Baseline.PSQ else index
        run += _run(ranker, index, asked, task)
        parts.append(part)
    if not parts:
        return []
    return score_named_run(*(whole, parts, run, task, language.code), system=str(baseline), seed=0, directory=directory)


def _psq(config: CompareConfig, language: LanguageConfig, index: LexicalIndex) -> PSQSearcher:
    bitexts, _ = language_bitext(config, language)
    pairs = [pair for bitext in bitexts for pair in bitext.pairs]
    lexicon = learn_word_lexicon(
        [pair.translation for pair in pairs],
        [pair.english for pair in pairs],
        query_analyzer=Analyzer(),
        document_analyzer=_ENGLISH,
    )
    return PSQSearcher(index, lexicon)


def _run(ranker: Ranker, index: LexicalIndex, collection: Collection, task: TaskConfig) -> list[ScoredDoc]:
    judged = {qrel.query_id for qrel in collection.qrels}
    queries = [query for query in collection.queries if query.query_id in judged]
    return run_queries(ranker, index.doc_ids, queries, top_k=task.depth)


def _machine_translation(config: CompareConfig, language: LanguageConfig, layout: Layout) -> Translate:
    translator = load_translator(
        TranslatorConfig(model=config.translation_model(language.code) or "", source=language.code)
    )
    cache = TranslationCache(layout.out / "translations.jsonl")

    def translate(collection: Collection) -> Collection:
        return dataclasses.replace(collection, queries=translate_queries(collection.queries, translator, cache=cache))

    return translate
