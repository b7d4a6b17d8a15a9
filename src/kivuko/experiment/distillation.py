"""Bitext and a teacher in, a student's model directory out."""

import json
import platform
import resource
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from sentence_transformers import MultiVectorEncoder
from transformers import TrainerCallback

import kivuko
from kivuko.config import DistillConfig, ObjectiveConfig, ObjectiveName
from kivuko.data.bitext import Bitext, SentencePair, read_bitext, split_held_out
from kivuko.data.collections import read_collection
from kivuko.errors import ConfigError, DataError, KivukoError, ModelError
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.losses import BitextLoss, MixtureLoss, ScoresLoss, SentenceLoss, TransportLoss
from kivuko.models.encoder import load_encoder, model_digest, parameter_count
from kivuko.models.teacher import Projection, add_projection, load_teacher
from kivuko.models.transplant import transplant
from kivuko.training.held_out import HeldOut
from kivuko.training.model_card import model_card
from kivuko.training.schedule import training_order
from kivuko.training.trainer import TrainingLog, Validator, last_checkpoint, train

RECORD = "kivuko.json"
TEACHER = "teacher"
_START, _CHECKPOINTS, _PLAN = "start", "checkpoints", "plan.json"
_WRITE_FAILED = ("no space left", "file too large", "i/o error", "read-only file system", "disk quota")
_PACKAGES = ("torch", "transformers", "sentence-transformers", "tokenizers", "accelerate", "numpy", "scipy")


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
            do, or the run to be resumed had another config or other inputs.
        DataError: If the bitext or the validation collection cannot be read.
        ModelError: If a model cannot be loaded or the two do not fit.
    """
    started = time.monotonic()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    bitexts = [read_bitext(source) for source in config.bitext]
    plan = _plan(config, bitexts)
    partial = _claim(config.out, plan, resume=resume, overwrite=overwrite)
    try:
        return _run(config, bitexts, plan, partial, started, notify, callbacks)
    except Exception as error:
        # What fails before the first checkpoint leaves nothing worth going on with.
        if not resume and last_checkpoint(partial / _CHECKPOINTS) is None:
            shutil.rmtree(partial, ignore_errors=True)
        # Safetensors and tokenizers do not say with an OSError that a write failed.
        if any(words in str(error).lower() for words in _WRITE_FAILED) and not isinstance(error, KivukoError):
            raise DataError(f"{config.out} cannot be written: {error}. Free some space, or write elsewhere.") from error
        raise


def _run(
    config: DistillConfig,
    bitexts: Sequence[Bitext],
    plan: Mapping[str, Any],
    partial: Path,
    started: float,
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

    teacher, student, start = _models(config, pairs, partial, notify)
    measure = _validator(config, teacher, held_out, partial)
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
            callbacks=callbacks,
        )
    record = dict(plan) | {
        "start": start,
        "parameters": parameter_count(student),
        "held_out_pairs": len(held_out),
        "empty_sides_left_out": {bitext.source.name: bitext.empty_sides for bitext in bitexts},
        "steps": log.steps,
        "history": log.history,
        "measures": {} if measure is None else dict(measure(student)),
        "minutes": round((time.monotonic() - started) / 60, 2),
        "cpu_minutes": round(time.process_time() / 60, 2),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    _finish(config, student, record, partial)
    return Distilled(config.out, record)


def build_loss(
    student: MultiVectorEncoder, teacher: MultiVectorEncoder, objectives: Sequence[ObjectiveConfig]
) -> BitextLoss:
    """Build the loss that the config asks for: one objective, or a weighted mixture."""
    terms = {str(term.name): (_objective(student, teacher, term), term.weight) for term in objectives}
    return MixtureLoss(student, teacher, terms)


def _objective(student: MultiVectorEncoder, teacher: MultiVectorEncoder, config: ObjectiveConfig) -> BitextLoss:
    match config.name:
        case ObjectiveName.TRANSPORT:
            return TransportLoss(student, teacher, epsilon=config.epsilon)
        case ObjectiveName.SCORES:
            return ScoresLoss(student, teacher, temperature=config.temperature, queue_batches=config.queue_batches)
        case ObjectiveName.SENTENCE:
            return SentenceLoss(student, teacher)


def _plan(config: DistillConfig, bitexts: Sequence[Bitext]) -> dict[str, Any]:
    """Return what decides the outcome of the run: config, inputs, versions."""
    teacher = Path(config.teacher)
    return {
        "kivuko": kivuko.__version__,
        "config": config.model_dump(mode="json"),
        "inputs": {
            "teacher_sha256": model_digest(teacher) if teacher.is_dir() else None,
            "bitext": [
                {"path": str(b.source.path), "pairs": len(b.pairs), "weight": b.source.weight, "sha256": b.sha256}
                for b in bitexts
            ],
        },
        "versions": {"python": platform.python_version()} | {package: version(package) for package in _PACKAGES},
    }


def _claim(out: Path, plan: Mapping[str, Any], *, resume: bool, overwrite: bool) -> Path:
    """Make or find the folder of the unfinished run."""
    partial = out.with_name(out.name + ".partial")
    if not out.resolve().name or out.resolve() == Path.cwd():
        raise ConfigError(f"The model directory cannot be {out}: name a new one with --out.")
    if out.exists() and not overwrite:
        raise ConfigError(f"There is something at {out} already. Give another --out, or --overwrite to replace it.")
    if out.exists() and not (out / RECORD).is_file():
        raise ConfigError(f"{out} is not a model directory of kivuko, and is not overwritten. Give another --out.")
    if resume and not partial.exists():
        raise ConfigError(f"There is no unfinished run at {partial} to resume.")
    if partial.exists() and not resume:
        if not overwrite:
            raise ConfigError(
                f"An unfinished run is at {partial}. Give --resume to go on with it, or --overwrite to begin anew."
            )
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    if (partial / _PLAN).exists():
        before = json.loads((partial / _PLAN).read_text(encoding="utf-8"))
        changed = sorted(_differences(before, json.loads(json.dumps(plan))))
        if changed:
            raise ConfigError(
                f"The unfinished run at {partial} was begun with another {', '.join(changed)}. "
                "Resume it with what it was begun with, or begin anew with --overwrite."
            )
    _write_json(partial / _PLAN, plan)
    return partial


def _differences(before: Any, now: Any, prefix: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            name
            for key in before.keys() | now.keys()
            for name in _differences(before.get(key), now.get(key), f"{prefix}{key}.")
        ]
    return [] if before == now else [prefix.rstrip(".")]


def _models(
    config: DistillConfig, pairs: Sequence[SentencePair], partial: Path, notify: Callable[[str], None]
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
            grown = transplant(teacher, pairs, **config.transplant.model_dump())
            student = grown.student
            start = {
                "kind": "transplant",
                "teacher_pieces": grown.vocabulary.kept,
                "new_pieces": len(grown.vocabulary.new_pieces),
                "aligned_pieces": grown.aligned_pieces,
                "fertility": round(grown.fertility, 3),
            }
        else:
            notify(f"student: {config.student}")
            student = _fit(load_encoder(config.student, device=device), teacher)
            start = {"kind": "checkpoint", "name": config.student}
        teacher.save(str(beside / TEACHER), create_model_card=False)
        student.save(str(beside / "student"), create_model_card=False)
        _write_json(beside / "start.json", start)
        beside.rename(folder)
    teacher = load_teacher(folder / TEACHER, device=device)
    student = load_encoder(folder / "student", device=device).requires_grad_(True)
    return teacher, student, json.loads((folder / "start.json").read_text(encoding="utf-8"))


def _fit(student: MultiVectorEncoder, teacher: MultiVectorEncoder) -> MultiVectorEncoder:
    """Return the student with token embeddings of the teacher's size, by a projection that training has to shape."""
    taught, learned = teacher.get_embedding_dimension(), student.get_embedding_dimension()
    if taught is None or learned is None:
        raise ModelError("Teacher or student does not say how many dimensions its token embeddings have.")
    if taught == learned:
        return student
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weight = torch.nn.init.orthogonal_(torch.empty(taught, learned))
    return add_projection(student, Projection(weight, float("nan")))


def _validator(
    config: DistillConfig, teacher: MultiVectorEncoder, held_out: Sequence[SentencePair], partial: Path
) -> Validator | None:
    collection = None
    if config.validation.collection is not None:
        collection = read_collection(config.validation.collection, split=config.validation.split)
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
        )
        return dict(held(student) if held else {}) | dict(found.measures.mean)

    return measure


def _finish(config: DistillConfig, student: MultiVectorEncoder, record: dict[str, Any], partial: Path) -> None:
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
    _write_json(beside / RECORD, record)
    if config.out.exists():
        shutil.rmtree(config.out)
    beside.rename(config.out)
    shutil.rmtree(partial)


def _write_json(path: Path, value: Any) -> None:
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    beside.replace(path)
