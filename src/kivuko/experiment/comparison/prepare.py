"""What all cells share: the teacher, the student that a language starts from, and the teacher's indexes."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from kivuko.config import BitextSource
from kivuko.data.bitext import Bitext, SentencePair, pair_weights, read_bitext, split_held_out
from kivuko.data.collections import Collection
from kivuko.errors import ConfigError
from kivuko.experiment.comparison.cells import Layout
from kivuko.experiment.comparison.config import CompareConfig, LanguageConfig, ValidationTask
from kivuko.experiment.comparison.leaks import refuse_leaks, triples_of_all_cells
from kivuko.experiment.comparison.named_tasks import in_english, open_named
from kivuko.experiment.comparison.task_config import TaskConfig
from kivuko.experiment.comparison.workers import Workers, saying
from kivuko.experiment.students import fit_student
from kivuko.experiment.unfinished import write_json
from kivuko.models.encoder import load_encoder, model_digest, parameter_count
from kivuko.models.teacher import load_teacher
from kivuko.models.transplant import transplant
from kivuko.search.build import build_index
from kivuko.search.manifest import corpus_digest, is_index

# What is held out is the same for all seeds and systems, and no student is grown on it.
_HELD_OUT_SEED = 0
LEAKS = "leaks.json"


def language_bitext(config: CompareConfig, language: LanguageConfig) -> tuple[list[Bitext], list[SentencePair]]:
    """Return the bitext to train on, and the pairs held out."""
    return read_and_split(language.bitext, config.held_out)


def read_and_split(sources: Sequence[BitextSource], held_out: int) -> tuple[list[Bitext], list[SentencePair]]:
    """Read bitext and hold out some pairs, at most a tenth."""
    bitexts = [read_bitext(source) for source in sources]
    distinct = len({pair for bitext in bitexts for pair in bitext.pairs})
    kept, held = split_held_out(bitexts, count=min(held_out, distinct // 10), seed=_HELD_OUT_SEED)
    return list(kept), list(held)


class Shared(NamedTuple):
    """Something that cells share: the student that a language starts from, or the index of English documents.

    Attributes:
        language: ISO 639 code.
        task: Whose documents; None for the student.
        pool: Which of its collections in English.
        student: The checkpoint, of a student that is not the comparison's.
    """

    language: str
    task: TaskConfig | ValidationTask | None = None
    pool: int = 0
    student: str | None = None

    def __str__(self) -> str:
        if self.student is not None:
            return f"{self.language}: the student that begins from {self.student}"
        if self.task is None:
            return f"{self.language}: the student that systems start from"
        return f"{self.language}: the index of {self.task.place}"


def prepare(config: CompareConfig, out: Path, workers: Workers, notify: Callable[[str], None]) -> None:
    """Make the teacher, the starting students and the indexes; what is there already is left alone.

    Raises:
        ConfigError: If the training data have test items in them, and that is not allowed.
        KivukoError: If a model, a bitext or a collection cannot be read.
    """
    layout = Layout(out)
    found = {
        language.code: refuse_leaks(
            language, notify, triples=triples_of_all_cells(config, language), allow=config.allow_leaks
        )
        for language in config.languages
    }
    write_json(out / LEAKS, {
        code: {kind: {name: leaks.record() for name, leaks in tasks.items()} for kind, tasks in kinds.items()}
        for code, kinds in found.items()
    })  # fmt: skip
    for task in (task for language in config.languages for task in language.tasks if task.task):
        opened = open_named(task)
        for said in (opened.incomplete, opened.unchecked):
            if said:
                notify(f"warning: {said}")
    if not layout.teacher.exists():
        notify(f"teacher: {config.teacher}")
        splits = [language_bitext(config, language)[0] for language in config.languages]
        english = [pair.english for bitexts in splits for bitext in bitexts for pair in bitext.pairs]
        teacher = load_teacher(config.teacher, dimensions=config.dimensions, english=english)
        _save(lambda beside: teacher.save(str(beside), create_model_card=False), layout.teacher)
    workers.run(make_shared, _missing(config, layout), progress=saying(notify))


def make_shared(config: CompareConfig, item: Shared, out: Path) -> None:
    """Make a student to start from, or an index."""
    layout = Layout(out)
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    if item.task is None:
        _start(config, layout, item.language, item.student)
    else:
        _index(layout, in_english(item.task, item.language)[item.pool])


def _missing(config: CompareConfig, layout: Layout) -> list[Shared]:
    """List what is not there yet, the indexes of most documents first: nobody is to wait for them at the end."""
    indexes: dict[Path, tuple[int, Shared]] = {}
    for language in config.languages:
        tasks: list[TaskConfig | ValidationTask] = [*language.tasks]
        if language.validation:
            tasks.append(language.validation)
        for task in tasks:
            for pool, collection in enumerate(in_english(task, language.code)):
                index = index_of(layout, collection)
                if index not in indexes and not is_index(index):
                    size = sum(1 for _ in collection.corpus)
                    indexes[index] = size, Shared(language.code, task, pool)
    starts = [
        Shared(each.code, student=student)
        for each in config.languages
        for student in config.starts
        if not layout.start(each.code, student).exists()
    ]
    return [item for _, item in sorted(indexes.values(), key=lambda found: -found[0])] + starts


def index_of(layout: Layout, collection: Collection) -> Path:
    """Return the index of a collection's documents, shared by all collections of the same documents."""
    return layout.index(corpus_digest(collection.corpus))


def start_record(layout: Layout, language: str, student: str | None = None) -> dict[str, Any]:
    """Return how a student of a language began: its size, its pieces a word."""
    return dict(json.loads((layout.start(language, student) / "start.json").read_text(encoding="utf-8")))


def _start(config: CompareConfig, layout: Layout, code: str, own: str | None) -> None:
    teacher = load_teacher(layout.teacher)
    checkpoint = own or config.student
    record: dict[str, Any] = {"student": checkpoint or "transplant"}
    if checkpoint is None:
        bitexts, _ = language_bitext(config, config.language(code))
        pairs = [pair for bitext in bitexts for pair in bitext.pairs]
        grown = transplant(teacher, pairs, weights=pair_weights(bitexts), **config.transplant.model_dump())
        student = grown.student
        record |= {"fertility": grown.fertility, "new_pieces": len(grown.vocabulary.new_pieces)}
    else:
        student = fit_student(load_encoder(checkpoint), teacher)
    record["parameters"] = parameter_count(student)

    def write(beside: Path) -> None:
        student.save(str(beside), create_model_card=False)
        write_json(beside / "start.json", record)

    _save(write, layout.start(code, own))


def _index(layout: Layout, collection: Collection) -> None:
    place = index_of(layout, collection)
    place.parent.mkdir(parents=True, exist_ok=True)
    build_index(
        load_encoder(layout.teacher),
        collection.corpus,
        place,
        model_name=str(layout.teacher),
        model_digest=model_digest(layout.teacher),
    )


def _save(write: Callable[[Path], None], place: Path) -> None:
    beside = place.with_name(f"{place.name}.partial")
    if place.exists():
        raise ConfigError(f"There is something at {place} already.")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    write(beside)
    beside.rename(place)
