import copy
import re
from pathlib import Path

import pytest
import torch
from sentence_transformers import MultiVectorEncoder
from torch import Tensor, nn

from kivuko.config import TrainingConfig
from kivuko.data.bitext import SentencePair
from kivuko.data.pairs import TranslatedTriple
from kivuko.errors import DataError
from kivuko.losses import BitextLoss, ContrastiveLoss, ScoresLoss, SentenceLoss, TransportLoss
from kivuko.losses.bitext_loss import TokenBatch
from kivuko.training.held_out import HeldOut
from kivuko.training.trainer import embedding_parameter, last_checkpoint, set_dropout, train

CONFIG = TrainingConfig(batch_size=4, learning_rate=1e-3, embedding_learning_rate=1e-2, save_every=3, device="cpu")


@pytest.fixture
def student(tiny_encoder: MultiVectorEncoder) -> MultiVectorEncoder:
    return copy.deepcopy(tiny_encoder).requires_grad_(True)


@pytest.fixture
def order(sentences: list[str]) -> list[SentencePair]:
    return [SentencePair(*pair) for pair in zip(sentences[::2], sentences[1::2], strict=True)] * 8


@pytest.mark.parametrize("objective", [TransportLoss, ScoresLoss, SentenceLoss])
def test_training_lowers_the_loss(
    student: MultiVectorEncoder,
    tiny_encoder: MultiVectorEncoder,
    order: list[SentencePair],
    objective: type[BitextLoss],
    tmp_path: Path,
) -> None:
    logs = [train(student, objective(student, tiny_encoder), order, CONFIG, directory=tmp_path / name) for name in "ab"]
    first, second = (log.history[0]["loss"] for log in logs)
    assert logs[0].steps == 10
    assert second < 0.97 * first


def test_bfloat16_is_for_the_encoders_alone(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, order: list[SentencePair], tmp_path: Path
) -> None:
    class Watched(ScoresLoss):
        def compare(self, student: TokenBatch, teacher: TokenBatch) -> Tensor:
            assert not torch.is_autocast_enabled("cpu")
            seen.append((student.embeddings, teacher.embeddings))
            return super().compare(student, teacher)

    seen: list[tuple[Tensor, Tensor]] = []
    usual = student[0].model.config._attn_implementation
    config = CONFIG.model_copy(update={"precision": "bfloat16", "learning_rate": 0.0, "embedding_learning_rate": 0.0})
    train(student, Watched(student, tiny_encoder), order[:4], config, directory=tmp_path / "half")
    train(student, Watched(student, tiny_encoder), order[:4], CONFIG, directory=tmp_path / "full")
    assert all(parameter.dtype == torch.float32 for parameter in student.parameters())
    assert student[0].model.config._attn_implementation == usual
    for half, full in zip(*seen, strict=True):
        assert half.dtype == torch.float32
        assert not torch.equal(half, full)
        torch.testing.assert_close(half, full, atol=0.02, rtol=0)


def test_teacher_is_not_trained(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, order: list[SentencePair], tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in tiny_encoder.state_dict().items()}
    train(student, TransportLoss(student, tiny_encoder), order, CONFIG, directory=tmp_path)
    assert all(torch.equal(value, before[name]) for name, value in tiny_encoder.state_dict().items())


def test_body_stays_where_its_learning_rate_is_zero(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, order: list[SentencePair], tmp_path: Path
) -> None:
    config = CONFIG.model_copy(update={"learning_rate": 0.0})
    train(student, TransportLoss(student, tiny_encoder), order, config, directory=tmp_path)
    changed = {
        name for name, value in student.state_dict().items() if not torch.equal(value, tiny_encoder.state_dict()[name])
    }
    assert changed == {name for name in changed if "word_embeddings" in name} != set()


def test_measures_are_logged_from_the_start(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, order: list[SentencePair], tmp_path: Path
) -> None:
    validator = HeldOut(tiny_encoder, order[:5])
    log = train(
        student,
        TransportLoss(student, tiny_encoder),
        order,
        CONFIG,
        directory=tmp_path,
        validator=validator,
        validate_every=5,
    )
    assert [entry["step"] for entry in log.history if "eval_accuracy" in entry] == [0, 5, 10]


def test_teacher_finds_its_own_sentences(tiny_encoder: MultiVectorEncoder, sentences: list[str]) -> None:
    own = HeldOut(tiny_encoder, [SentencePair(sentence, sentence) for sentence in sentences])
    rolled = HeldOut(
        tiny_encoder, [SentencePair(*pair) for pair in zip(sentences, sentences[1:] + sentences[:1], strict=True)]
    )
    assert own(tiny_encoder) == {"accuracy": 1.0}
    assert rolled(tiny_encoder) == {"accuracy": 0.0}


def test_half_a_checkpoint_is_thrown_away(tmp_path: Path) -> None:
    for step in (3, 10, 12):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (3, 10):
        (tmp_path / f"checkpoint-{step}" / "complete").touch()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert not (tmp_path / "checkpoint-12").exists()


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "none") is None


def test_fewer_pairs_than_a_batch_are_refused(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, order: list[SentencePair], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="at least one batch of 4 sentence pairs, got 3"):
        train(student, TransportLoss(student, tiny_encoder), order[:3], CONFIG, directory=tmp_path)


def test_dropout_is_set_everywhere(student: MultiVectorEncoder) -> None:
    set_dropout(student, 0.25)
    assert {module.p for module in student.modules() if isinstance(module, nn.Dropout)} == {0.25}


def test_embedding_pattern_matches_one_parameter(student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder) -> None:
    loss = TransportLoss(student, tiny_encoder)
    pattern = embedding_parameter(loss, student)
    matched = [name for name, _ in loss.named_parameters() if re.search(pattern, name)]
    assert len(matched) == 1
    assert matched[0].endswith("word_embeddings.weight")


def test_triples_are_read_as_queries_and_passages(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, sentences: list[str], tmp_path: Path
) -> None:
    triples = [
        TranslatedTriple(english, translation, sentences[-1])
        for english, translation in zip(sentences[::2], sentences[1::2], strict=True)
    ] * 8
    seen: list[tuple[int, int]] = []

    class Watched(ContrastiveLoss):
        def compare(self, student: TokenBatch, teacher: TokenBatch) -> torch.Tensor:
            seen.append((len(student.embeddings), len(teacher.embeddings)))
            return super().compare(student, teacher)

    logs = [train(student, Watched(student, tiny_encoder), triples, CONFIG, directory=tmp_path / name) for name in "ab"]
    assert set(seen) == {(4, 8)}
    assert logs[1].history[0]["loss"] < 0.97 * logs[0].history[0]["loss"]
