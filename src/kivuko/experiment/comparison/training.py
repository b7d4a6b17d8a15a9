"""Train and score one cell."""

import hashlib
import json
import math
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

import kivuko
from kivuko.data.bitext import Bitext
from kivuko.data.collections import read_collection
from kivuko.data.formats.translated_triples import read_translated_triples
from kivuko.data.pairs import SentencePair, TranslatedTriple
from kivuko.errors import ConfigError, ModelError
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.experiment.comparison.cells import RECORD, Cell, Layout, is_final
from kivuko.experiment.comparison.config import CompareConfig, LanguageConfig
from kivuko.experiment.comparison.prepare import index_of, language_bitext
from kivuko.experiment.comparison.scoring import score_model
from kivuko.experiment.comparison.trials import with_trial
from kivuko.experiment.cost import Meter
from kivuko.experiment.provenance import source_commit
from kivuko.experiment.unfinished import write_json
from kivuko.losses import TeacherMemory, build_loss
from kivuko.models.encoder import load_encoder, model_digest, parameter_count
from kivuko.models.teacher import load_teacher
from kivuko.training.held_out import HeldOut
from kivuko.training.schedule import training_order
from kivuko.training.trainer import train

# Some 30 MB for 1,600 pairs of 128-dimensional tokens.
_MOST_REMEMBERED = 20_000
_MODEL, _CHECKPOINTS, _VALIDATION = "model", "checkpoints", "validation.json"


def is_scored(cell: Cell, out: Path) -> bool:
    """Tell whether a cell is finished."""
    return (cell.directory(out) / RECORD).is_file()


def is_validated(cell: Cell, out: Path) -> bool:
    """Tell whether a trial has been trained and measured on validation data."""
    return is_scored(cell, out) or (cell.directory(out) / _VALIDATION).is_file()


def run_trial(config: CompareConfig, cell: Cell, out: Path) -> None:
    """Train a cell and measure it on validation data, keeping the model if it is a cell to be tested once chosen."""
    directory = cell.directory(out)
    record, student = _trained(config, cell, out)
    language = config.language(cell.language)
    write_json(directory / _VALIDATION, record | {"validation": _validate(config, language, student, Layout(out))})
    if not is_final(config, cell):
        shutil.rmtree(directory / _MODEL)
    shutil.rmtree(directory / _CHECKPOINTS, ignore_errors=True)


def run_cell(config: CompareConfig, cell: Cell, out: Path, *, keep_model: bool = False) -> None:
    """Train a cell unless it was, score it on all tasks of its language, and write its record last of all."""
    directory = cell.directory(out)
    record, student = _trained(config, cell, out)
    score_model(
        student,
        Layout(out),
        config.language(cell.language),
        system=cell.system,
        seed=cell.seed,
        directory=directory,
    )
    write_json(directory / RECORD, record)
    shutil.rmtree(directory / _CHECKPOINTS, ignore_errors=True)
    if not keep_model:
        shutil.rmtree(directory / _MODEL)


def triples_of(config: CompareConfig, cell: Cell) -> list[TranslatedTriple]:
    """Return the triples that a cell of a system with `translate_train` sees, in their order.

    Raises:
        ConfigError: If its language has none.
    """
    told = config.language(cell.language).translated
    if told is None:
        raise ConfigError(f"{cell.system} needs `translated` (triples, queries, passages) of {cell.language}.")
    batch_size = config.training.batch_size
    count = cell.pairs // batch_size * batch_size
    return read_translated_triples(told.triples, told.queries, told.passages, count=count, seed=cell.seed)


def order_of(config: CompareConfig, bitexts: Sequence[Bitext], cell: Cell) -> list[SentencePair]:
    """Return the pairs that a cell sees, in their order: the same for all systems.

    For a shuffled system the English sentences are the same, in the same order, each with the translation of another.

    Raises:
        ConfigError: If too few pairs of a shuffled system differ.
    """
    available = sum(round(len(bitext.pairs) * bitext.source.weight) for bitext in bitexts)
    batch_size = config.training.batch_size
    epochs = math.ceil(cell.pairs / max(1, available - batch_size)) + 1
    order = training_order(bitexts, epochs=epochs, batch_size=batch_size, seed=cell.seed)
    order = order[: cell.pairs // batch_size * batch_size]
    return _deranged(order, cell.seed) if config.system(cell.system).shuffled else order


def _deranged(order: Sequence[SentencePair], seed: int) -> list[SentencePair]:
    """Give every English sentence the translation of another one, in a random order that the seed decides."""
    own: dict[str, set[str]] = {}
    for pair in order:
        own.setdefault(pair.english, set()).add(pair.translation)
    others = [pair.translation for pair in order]
    random.Random(seed).shuffle(others)  # noqa: S311 - a shuffle, not a secret
    # A shuffle leaves some in their place: those are exchanged with the next with which both are wrong.
    for place, pair in enumerate(order):
        if others[place] in own[pair.english]:
            for there in (*range(place + 1, len(order)), *range(place)):
                if others[there] not in own[pair.english] and others[place] not in own[order[there].english]:
                    others[place], others[there] = others[there], others[place]
                    break
            else:
                raise ConfigError(f"Too few sentence pairs differ to shuffle them: {pair.english!r} keeps its own.")
    return [pair._replace(translation=other) for pair, other in zip(order, others, strict=True)]


def _trained(config: CompareConfig, cell: Cell, out: Path) -> tuple[dict[str, Any], MultiVectorEncoder]:
    """Return the record of a trained cell and its student, training it first if need be."""
    layout, directory = Layout(out), cell.directory(out)
    record_path = directory / "training.json"
    if (directory / _MODEL).exists():
        student = load_encoder(directory / _MODEL)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        if config.training.threads:
            torch.set_num_threads(config.training.threads)
        meter = Meter()
        meter.keep_in(directory)
        system = config.system(cell.system)
        training, objectives = with_trial(config.training, system.objectives, config.trials_of(system)[cell.trial])
        training = training.model_copy(update={"seed": cell.seed})
        teacher = load_teacher(layout.teacher)
        start = layout.start(cell.language, system.student)
        student = load_encoder(start).requires_grad_(True)
        order: list[SentencePair] | list[TranslatedTriple]
        if system.translate_train:
            order = triples_of(config, cell)
        else:
            order = order_of(config, language_bitext(config, config.language(cell.language))[0], cell)
        loss = build_loss(student, teacher, objectives)
        loss.memory = memory = _memory(layout, cell)
        started = time.monotonic()
        log = train(
            student,
            loss,
            order,
            training,
            directory=directory / _CHECKPOINTS,
            callbacks=[meter],
        )
        if memory is not None:
            memory.save()
        if not all(torch.isfinite(parameter).all() for parameter in student.parameters()):
            raise ModelError(f"The training of {cell} diverged: lower the learning rates of its trial.")
        cost = meter.read()
        record = {
            "cell": cell._asdict(),
            "objectives": [objective.model_dump(mode="json") for objective in objectives],
            "training": training.model_dump(mode="json"),
            "kivuko": kivuko.__version__,
            "commit": source_commit(),
            "device": str(student.device),
            "parameters": parameter_count(student),
            "steps": log.steps,
            "order_sha256": _digest(order),
            "teacher_sha256": model_digest(layout.teacher),
            "start_sha256": model_digest(start),
            "minutes": round(cost.minutes, 3),
            "cpu_minutes": round(cost.cpu_minutes, 3),
            "peak_memory_mib": cost.peak_memory_mib,
            "seconds_a_step": round((time.monotonic() - started) / log.steps, 4),
            "history": log.history,
        }
        beside = directory / f"{_MODEL}.partial"
        shutil.rmtree(beside, ignore_errors=True)
        student.save(str(beside), create_model_card=False)
        write_json(record_path, record)
        beside.rename(directory / _MODEL)
    return dict(json.loads(record_path.read_text(encoding="utf-8"))), student


def _memory(layout: Layout, cell: Cell) -> TeacherMemory | None:
    """Return what the teacher made of the same batches for the systems before, unless it is too much to keep."""
    if cell.pairs > _MOST_REMEMBERED:
        return None
    return TeacherMemory(
        layout.start(cell.language).with_name(f"teacher-seed{cell.seed}-pairs{cell.pairs}.safetensors")
    )


def _digest(order: Sequence[SentencePair] | Sequence[TranslatedTriple]) -> str:
    digest = hashlib.sha256()
    for row in order:
        digest.update(("\t".join(row) + "\n").encode())
    return digest.hexdigest()


def _validate(config: CompareConfig, language: LanguageConfig, student: MultiVectorEncoder, layout: Layout) -> float:
    """Return what trials are chosen by: a measure of the validation task, or accuracy on held-out pairs."""
    teacher = load_teacher(layout.teacher)
    if language.validation is None:
        _, held_out = language_bitext(config, language)
        if not held_out:
            raise ModelError(
                f"Trials of {language.code} need a validation collection or held-out pairs to be chosen by."
            )
        return HeldOut(teacher, held_out)(student)["accuracy"]
    collection = read_collection(language.validation.collection, split=language.validation.split)
    measures = parse_measures(language.validation.measure)
    found = evaluate_retrieval(
        student,
        teacher,
        collection,
        measures,
        document_model_name=str(layout.teacher),
        document_model_digest=model_digest(layout.teacher),
        index_directory=index_of(layout, collection),
    )
    return float(found.measures.mean[str(measures[0])])
