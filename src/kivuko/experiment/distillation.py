"""Bitext and a teacher in, a student's model directory out."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from sentence_transformers import MultiVectorEncoder
from transformers import TrainerCallback

from kivuko.config import DistillConfig
from kivuko.data.bitext import Bitext, SentencePair, pair_weights, read_bitext, split_held_out
from kivuko.data.collections import Collection, read_collection
from kivuko.data.leakage import JudgedTexts, Leaks, remove_leaks
from kivuko.errors import ConfigError, DataError, ModelError
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.experiment.cost import Meter
from kivuko.experiment.provenance import model_provenance, run_plan
from kivuko.experiment.students import fit_student
from kivuko.experiment.unfinished import PLAN, RECORD, claim, reporting_full_disks, write_json
from kivuko.losses import build_loss
from kivuko.models.encoder import load_encoder, model_digest, parameter_count, read_card
from kivuko.models.fertility import fertility
from kivuko.models.teacher import load_teacher
from kivuko.models.transplant import transplant
from kivuko.search.staging import exclusive, replace_directory
from kivuko.training.held_out import HeldOut
from kivuko.training.model_card import model_card
from kivuko.training.schedule import training_order
from kivuko.training.trainer import TrainingLog, Validator, last_checkpoint, train

TEACHER = "teacher"
_START, _CHECKPOINTS = "start", "checkpoints"


class Distilled(NamedTuple):
    """What a distillation made.

    Attributes:
        directory: The student's model directory.
        record: What is in its `kivuko.json`: config, inputs, versions, measures, history, cost.
    """

    directory: Path
    record: dict[str, Any]


def distill(
    config: DistillConfig,
    *,
    resume: bool = False,
    overwrite: bool = False,
    notify: Callable[[str], None] = lambda message: None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Distilled:
    """Carry a teacher across: read bitext, prepare a student, train it, write its model directory.

    Until the end all files are in `<out>.partial`; the student's directory appears whole, by a rename. It holds the
    model, `README.md` (the model card), `kivuko.json` (the record of the run) and `teacher/`, which indexes documents.

    Args:
        config: What to do.
        resume: Go on with the unfinished run in `<out>.partial`.
        overwrite: Replace what is at `config.out`.
        notify: Told what is being done, a line at a time.
        callbacks: Callbacks for the trainer, for progress.

    Raises:
        ConfigError: If there is something at `config.out` or an unfinished run beside it and neither flag says what to
            do, the run to be resumed had another config or other inputs, another process is writing `config.out`, or
            the bitext holds what is tested on.
        DataError: If the bitext or the validation collection cannot be read, or the disk is full.
        ModelError: If a model cannot be loaded or the two do not fit.
    """
    meter = Meter()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    bitexts = [read_bitext(source) for source in config.bitext]
    for bitext in bitexts:
        for flaw, count in bitext.left_out.items():
            notify(f"{bitext.source.name}: {count:,} records are left out: {flaw}")
    validation = None
    if config.validation.collection is not None:
        validation = read_collection(config.validation.collection, split=config.validation.split)
    bitexts, leaks = _without_leaks(config, bitexts, validation, notify)
    plan = run_plan(config, bitexts, validation)
    with exclusive(config.out), reporting_full_disks(config.out):
        partial = claim(config.out, plan, resume=resume, overwrite=overwrite)
        try:
            partial.mkdir(exist_ok=True)
            write_json(partial / PLAN, plan)
            meter.keep_in(partial)
            return _run(config, bitexts, leaks, validation, plan, partial, meter, notify, callbacks)
        except Exception:
            # What fails before the first checkpoint leaves nothing worth going on with.
            if not resume and last_checkpoint(partial / _CHECKPOINTS) is None:
                shutil.rmtree(partial, ignore_errors=True)
            raise


def _without_leaks(
    config: DistillConfig, bitexts: list[Bitext], validation: Collection | None, notify: Callable[[str], None]
) -> tuple[list[Bitext], dict[str, Leaks]]:
    """Refuse bitext with test items in it, drop the pairs that hold them or go on, as the config says; and count them.

    Returns:
        The bitext to train on, and what was found before any pair was dropped for that collection.
    """
    tests = {str(path): read_collection(path, split=config.against_split) for path in config.against}
    if validation is not None:
        tests[f"{config.validation.collection} ({config.validation.split})"] = validation
    if not tests and config.leaks != "allow":
        notify("no collection of test items was given (--against): the bitext was not searched for them")
    counted: dict[str, Leaks] = {}
    refused = []
    for name, collection in tests.items():
        without, found = remove_leaks(bitexts, JudgedTexts(collection))
        counted[name] = found
        if found.is_clean:
            continue
        if config.leaks == "drop":
            notify(f"{name}: {found.summary()}, which are left out")
            bitexts = without
        elif config.leaks == "allow":
            notify(f"warning: {name}: {found.summary()}, which are trained on, as --allow-leaks says")
        elif found.training.certain:
            refused.append(f"{name}: {found.summary()}")
        else:
            notify(f"{name}: {found.summary()}")
    if refused:
        raise ConfigError(
            f"The bitext holds what is tested on. {'. '.join(refused)}. Give --drop-leaks to leave these training "
            "pairs out, or --allow-leaks to train on them all the same."
        )
    if not any(bitext.pairs for bitext in bitexts):
        raise DataError("All training pairs hold test items, and none is left without them. Give other bitext.")
    return bitexts, counted


def _run(
    config: DistillConfig,
    bitexts: Sequence[Bitext],
    leaks: Mapping[str, Leaks],
    validation: Collection | None,
    plan: Mapping[str, Any],
    partial: Path,
    meter: Meter,
    notify: Callable[[str], None],
    callbacks: Sequence[TrainerCallback],
) -> Distilled:
    distinct = len({pair for bitext in bitexts for pair in bitext.pairs})
    held_out_count = config.validation.held_out
    if held_out_count is None:
        held_out_count = min(500, distinct // 50)
    bitexts, held_out = split_held_out(bitexts, count=held_out_count, seed=config.training.seed)
    pairs = [pair for bitext in bitexts for pair in bitext.pairs]
    notify(f"{len(pairs):,} sentence pairs to train on, {len(held_out):,} held out")

    teacher, student, start = _models(config, pairs, pair_weights(bitexts), partial, notify)
    pieces = _fertility(student, bitexts, notify)
    meter.save()
    measure = _validator(teacher, held_out, validation, partial)
    order = training_order(
        bitexts, epochs=config.training.epochs, batch_size=config.training.batch_size, seed=config.training.seed
    )
    log = TrainingLog(0, [])
    if config.training.epochs:
        notify(f"training: {len(order) // config.training.batch_size:,} steps")
        log = train(
            student,
            build_loss(student, teacher, config.objectives),
            order,
            config.training,
            directory=partial / _CHECKPOINTS,
            validator=measure,
            validate_every=config.validation.every,
            callbacks=[meter, *callbacks],
        )
    measures = {} if measure is None else dict(measure(student))
    cost = meter.read()
    record = dict(plan) | {
        "models": start.pop("models"),
        "start": start,
        "fertility": pieces,
        "parameters": parameter_count(student),
        "training_pairs": len(pairs),
        "held_out_pairs": len(held_out),
        "leaks": {name: found.record() for name, found in leaks.items()},
        "empty_sides_left_out": {bitext.source.name: bitext.empty_sides for bitext in bitexts},
        "steps": log.steps,
        "history": log.history,
        "measures": measures,
        "minutes": round(cost.minutes, 2),
        "cpu_minutes": round(cost.cpu_minutes, 2),
        "peak_memory_mib": cost.peak_memory_mib,
    }
    return Distilled(config.out, _finish(config, student, record, partial))


def _models(
    config: DistillConfig,
    pairs: Sequence[SentencePair],
    weights: Sequence[float] | None,
    partial: Path,
    notify: Callable[[str], None],
) -> tuple[MultiVectorEncoder, MultiVectorEncoder, dict[str, Any]]:
    """Return teacher, student and how the student began; both are kept in `partial` for a resumed run."""
    folder = partial / _START
    device = config.training.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not folder.exists():
        beside = partial / f"{_START}.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        notify(f"teacher: {config.teacher}")
        teacher = load_teacher(
            config.teacher, dimensions=config.dimensions, english=[pair.english for pair in pairs], device=device
        )
        if config.student is None:
            notify("student: grown on the teacher, from the lexical alignment of the bitext")
            grown = transplant(teacher, pairs, weights=weights, **config.transplant.model_dump())
            student = grown.student
            start: dict[str, Any] = {
                "kind": "transplant",
                "teacher_pieces": grown.vocabulary.kept,
                "new_pieces": len(grown.vocabulary.new_pieces),
                "aligned_pieces": grown.aligned_pieces,
                "fertility": round(grown.fertility, 3),
            }
        else:
            notify(f"student: {config.student}")
            student = fit_student(load_encoder(config.student, device=device), teacher)
            start = {"kind": "checkpoint", "name": config.student}
        start["models"] = {"teacher": model_provenance(config.teacher)}
        if config.student is not None:
            start["models"]["student"] = model_provenance(config.student)
        teacher.save(str(beside / TEACHER), create_model_card=False)
        card = read_card(config.teacher)
        if card is not None:  # whose licence and thanks go wherever the teacher goes
            (beside / TEACHER / "README.md").write_text(card, encoding="utf-8")
        student.save(str(beside / "student"), create_model_card=False)
        write_json(beside / "start.json", start)
        beside.rename(folder)
    teacher = load_teacher(folder / TEACHER, device=device)
    student = load_encoder(folder / "student", device=device).requires_grad_(True)
    return teacher, student, json.loads((folder / "start.json").read_text(encoding="utf-8"))


def _fertility(
    student: MultiVectorEncoder, bitexts: Sequence[Bitext], notify: Callable[[str], None]
) -> dict[str, dict[str, float | int | str]]:
    """Say and return how finely the student's tokenizer cuts each language."""
    found = {}
    for language in sorted({bitext.source.language for bitext in bitexts}):
        same = (bitext for bitext in bitexts if bitext.source.language == language)
        found[language] = fertility(student.tokenizer, (pair.translation for each in same for pair in each.pairs))
    for language, one in found.items():
        notify(f"{language}: {one.summary()}")
        if one.warning:
            notify(f"warning: {language}: {one.warning}")
    return {language: one.record() for language, one in found.items()}


def _validator(
    teacher: MultiVectorEncoder, held_out: Sequence[SentencePair], collection: Collection | None, partial: Path
) -> Validator | None:
    measures = parse_measures("RR@10 R@100")
    teacher_digest = model_digest(partial / _START / TEACHER)
    held = HeldOut(teacher, held_out) if held_out else None
    if collection is None:
        return held

    def measure(student: MultiVectorEncoder) -> dict[str, float]:
        found = evaluate_retrieval(
            student,
            teacher,
            collection,
            measures,
            document_model_digest=teacher_digest,
            index_directory=partial / "validation-index",
            overwrite=True,
        )
        return dict(held(student) if held else {}) | dict(found.measures.mean)

    return measure


def _finish(
    config: DistillConfig, student: MultiVectorEncoder, record: dict[str, Any], partial: Path
) -> dict[str, Any]:
    """Write the model directory; return its record, now with the student's digest."""
    if not all(torch.isfinite(parameter).all() for parameter in student.parameters()):
        raise ModelError(
            "The training diverged: the student's weights are not finite. Lower the learning rates or weights."
        )
    beside = partial / "model"
    shutil.rmtree(beside, ignore_errors=True)
    student.save(str(beside), create_model_card=False)
    (beside / "README.md").write_text(model_card(config, record), encoding="utf-8")
    shutil.copytree(partial / _START / TEACHER, beside / TEACHER)
    record = record | {"student_sha256": model_digest(beside)}
    write_json(beside / RECORD, record)
    replace_directory(beside, config.out)
    shutil.rmtree(partial)
    return record
