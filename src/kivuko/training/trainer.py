"""Distillation with the trainer of sentence-transformers: our batches, our loss, checkpoints that survive a kill."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch import nn
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from kivuko.config import TrainingConfig
from kivuko.data.pairs import SentencePair, TranslatedTriple
from kivuko.errors import DataError
from kivuko.losses import BitextLoss
from kivuko.models.encoder import backbone, task_prompts
from kivuko.training.collator import ENGLISH, NEGATIVE, TRANSLATION, BitextCollator

Validator = Callable[[MultiVectorEncoder], Mapping[str, float]]

# Written into a checkpoint when all else is in it: a kill can leave a folder that only looks like one.
_COMPLETE = "complete"
_LOSS_STATE = "loss.safetensors"
_LOGGED_STEPS = 20


class TrainingLog(NamedTuple):
    """What happened in training.

    Attributes:
        steps: Number of optimizer steps.
        history: What was logged, one entry a time, each with its `step`.
    """

    steps: int
    history: list[dict[str, float]]


class _Evaluator(BaseEvaluator):
    """Hand the student to a validator."""

    def __init__(self, validator: Validator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.validator = validator

    def __call__(  # type: ignore[override]
        self, model: MultiVectorEncoder, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        return dict(self.validator(model))


class _CompleteCheckpoint(TrainerCallback):
    """Add what the loss remembers to a checkpoint, then mark it as whole."""

    def __init__(self, loss: BitextLoss) -> None:
        self.loss = loss

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        save_file(self.loss.state(), checkpoint / _LOSS_STATE)
        (checkpoint / _COMPLETE).touch()


def train(
    student: MultiVectorEncoder,
    loss: BitextLoss,
    order: Sequence[SentencePair] | Sequence[TranslatedTriple],
    config: TrainingConfig,
    *,
    directory: Path,
    validator: Validator | None = None,
    validate_every: int | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainingLog:
    """Train the student in place, continuing from the last whole checkpoint in `directory` when there is one.

    Everything that is drawn is fixed by `order` and the seed, and a checkpoint holds optimizer, schedule and random
    states, so a run that was killed ends with the weights that it would have had.

    Args:
        student: The student.
        loss: The objective; it holds student and teacher.
        order: The pairs of the whole run, batch by batch (see `kivuko.training.schedule`); or triples of a translated
            query and passages, which `ContrastiveLoss` reads.
        config: How to train.
        directory: Where checkpoints are kept.
        validator: Measures the student; its measures are logged as `eval_<name>`.
        validate_every: Steps between two measurements; None measures four times.
        callbacks: Further callbacks, for progress.

    Raises:
        DataError: If there are fewer pairs than one batch.
    """
    steps = len(order) // config.batch_size
    if steps == 0:
        raise DataError(
            f"Training needs at least one batch of {config.batch_size} sentence pairs, got {len(order)}. "
            "Give more bitext, more epochs or a smaller batch."
        )
    set_dropout(student, config.dropout)
    loss.in_bfloat16 = config.precision == "bfloat16"
    # An example that is there keeps the trainer from looking for some, with a bar of its own.
    student.model_card_data.widget = [{"text": order[0].translation}]
    longest = min(config.max_tokens, *(model.max_seq_length or config.max_tokens for model in (student, loss.teacher)))
    every = validate_every or max(1, steps // 4)
    arguments = MultiVectorEncoderTrainingArguments(
        output_dir=str(directory),
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        learning_rate_mapping={embedding_parameter(loss, student): config.embedding_learning_rate},
        warmup_steps=round(config.warmup * steps),
        weight_decay=0.0,
        use_cpu=config.device == "cpu",
        seed=config.seed,
        # A run of fewer steps would only get the checkpoint that the trainer writes at the end of every run.
        save_strategy="steps" if steps > config.save_every else "no",
        save_steps=config.save_every,
        save_total_limit=config.keep_checkpoints,
        eval_strategy="steps" if validator else "no",
        eval_steps=every if validator else None,
        eval_on_start=validator is not None,
        logging_steps=min(_LOGGED_STEPS, steps),
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        batch_sampler=_in_order,
        max_length=longest,
    )
    trainer = MultiVectorEncoderTrainer(
        model=student,
        args=arguments,
        train_dataset=Dataset.from_dict(_columns(order)),
        loss=loss,
        evaluator=_Evaluator(validator) if validator else None,
        data_collator=BitextCollator(
            preprocess_fn=student.preprocess,
            teacher=loss.teacher,
            student_prompts=task_prompts(student),
            max_length=longest,
        ),
        callbacks=[_CompleteCheckpoint(loss), *callbacks],
    )
    # Both print to stdout, which belongs to results.
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    checkpoint = last_checkpoint(directory)
    if checkpoint is not None:
        loss.restore(load_file(Path(checkpoint) / _LOSS_STATE, device=str(student.device)))
    with _quick_attention(student, config):
        trainer.train(resume_from_checkpoint=checkpoint)
    student.eval()
    return TrainingLog(steps, [dict(entry) for entry in trainer.state.log_history])


def last_checkpoint(directory: Path) -> str | None:
    """Return the newest checkpoint that was written to its end, and remove those that were not."""
    checkpoints = sorted(directory.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = []
    for checkpoint in checkpoints:
        if (checkpoint / _COMPLETE).exists():
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return str(whole[-1]) if whole else None


def set_dropout(encoder: MultiVectorEncoder, probability: float) -> None:
    """Set every dropout of the encoder, in its modules and in attention that reads a plain number."""
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = probability
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = probability  # type: ignore[assignment]


@contextmanager
def _quick_attention(student: MultiVectorEncoder, config: TrainingConfig) -> Iterator[None]:
    """Train with plain attention where torch's fused one is slow: backward, in bfloat16, on a CPU."""
    model: Any = backbone(student).model
    usual = model.config._attn_implementation
    if config.precision == "bfloat16" and student.device.type == "cpu" and usual == "sdpa":
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(usual)


def embedding_parameter(loss: nn.Module, student: MultiVectorEncoder) -> str:
    """Return a pattern that matches just the name of the student's word embeddings among the loss's parameters."""
    weight = backbone(student).model.get_input_embeddings().weight
    for name, parameter in loss.named_parameters():
        if parameter is weight:
            return f"^{re.escape(name)}$"
    raise ValueError("the student's word embeddings are not among the loss's parameters")


def _columns(order: Sequence[SentencePair] | Sequence[TranslatedTriple]) -> dict[str, list[str]]:
    columns = {TRANSLATION: [row.translation for row in order], ENGLISH: [row.english for row in order]}
    negatives = [row.negative for row in order if isinstance(row, TranslatedTriple)]
    return columns | ({NEGATIVE: negatives} if negatives else {})


def _in_order(dataset: Dataset, batch_size: int, drop_last: bool, **_: Any) -> DefaultBatchSampler:
    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last)
