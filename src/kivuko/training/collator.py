"""Batches of sentence pairs for a student and a teacher with tokenizers of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder import MultiVectorEncoderDataCollator

from kivuko.models.encoder import task_prompts

TRANSLATION, ENGLISH, NEGATIVE = "translation", "english", "negative"


@dataclass
class BitextCollator(MultiVectorEncoderDataCollator):
    """Send the English column through the teacher's tokenizer and the other through the student's.

    Both columns are prepared for the same task, queries by default, each with the prompt that its own model has for it.
    Rows with a negative are queries and passages: their English is read as documents, the negatives behind the others.

    Attributes:
        teacher: The teacher, needed; a default is only there because the base class has defaults.
        student_prompts: The student's prompts by task.
        task: `query` or `document`: how both sides are prompted, expanded and cut.
    """

    teacher: MultiVectorEncoder | None = None
    student_prompts: Mapping[str, str] | None = None
    task: str = "query"

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """Return `translation_*` and `english_*` features, the translation first."""
        if self.teacher is None:
            raise ValueError("BitextCollator needs a teacher")
        batch: dict[str, Any] = {}
        negatives = [row[NEGATIVE] for row in features if NEGATIVE in row]
        english_task = "document" if negatives else self.task
        columns: tuple[tuple[str, str, list[str], Any, Mapping[str, str]], ...] = (
            (TRANSLATION, self.task, [], self.preprocess_fn, self.student_prompts or {}),
            (ENGLISH, english_task, negatives, self.teacher.preprocess, task_prompts(self.teacher)),
        )
        for column, task, more, preprocess, prompts in columns:
            lengths = {} if self.max_length is None else {"max_length": self._get_max_length_for_task(task)}
            texts = [row[column] for row in features] + more
            inputs = preprocess(texts, prompt=prompts.get(task) or None, task=task, **lengths)
            batch |= {f"{column}_{key}": value for key, value in inputs.items()}
            batch[f"{column}_task"] = task
        return batch
