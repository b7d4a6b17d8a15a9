"""The modules: in the trainer's form, on real encoders with tokenizers of their own."""

import copy

import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from kivuko.losses import MixtureLoss, ScoresLoss, SentenceLoss, TransportLoss, transport_loss
from kivuko.models.teacher import add_projection, fit_projection
from kivuko.training.collator import BitextCollator

PAIRS = [
    {"translation": "Mvua za masika huanza mwezi wa Machi.", "english": "The long rains begin in March."},
    {"translation": "Kliniki ya Dodoma", "english": "The clinic in Dodoma vaccinates children."},
]


@pytest.fixture
def student(tiny_encoder: MultiVectorEncoder) -> MultiVectorEncoder:
    return copy.deepcopy(tiny_encoder).requires_grad_(True)


def columns(
    student: MultiVectorEncoder, teacher: MultiVectorEncoder, pairs: list[dict[str, str]] = PAIRS
) -> list[dict[str, torch.Tensor]]:
    batch = BitextCollator(preprocess_fn=student.preprocess, teacher=teacher)(pairs)
    return [
        {key.removeprefix(f"{column}_"): value for key, value in batch.items() if key.startswith(f"{column}_")}
        for column in ("translation", "english")
    ]


def test_module_is_the_function_of_the_content_tokens(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder
) -> None:
    student.eval()
    embeddings = [
        tiny_encoder.encode_query([pair[column] for pair in PAIRS], show_progress_bar=False)
        for column in ("translation", "english")
    ]
    padded = [
        torch.nn.utils.rnn.pad_sequence([tokens[1:-1] for tokens in side], batch_first=True) for side in embeddings
    ]
    masks = [side.abs().sum(-1) > 0 for side in padded]
    expected = transport_loss(padded[0], masks[0], padded[1], masks[1], epsilon=0.1)
    found = TransportLoss(student, tiny_encoder, epsilon=0.1)(columns(student, tiny_encoder))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_mixture_is_the_weighted_sum_of_its_terms(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder
) -> None:
    student.eval()
    transport, scores = TransportLoss(student, tiny_encoder), ScoresLoss(student, tiny_encoder)
    mixture = MixtureLoss(student, tiny_encoder, {"transport": (transport, 1.0), "scores": (scores, 0.2)})
    found = mixture(columns(student, tiny_encoder))
    torch.testing.assert_close(found["transport"], transport(columns(student, tiny_encoder)))
    torch.testing.assert_close(found["scores"], 0.2 * scores(columns(student, tiny_encoder)))


def test_teacher_gets_no_gradient_and_is_no_parameter(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder
) -> None:
    teacher = copy.deepcopy(tiny_encoder).requires_grad_(True)
    loss = SentenceLoss(student, teacher)
    loss(columns(student, teacher)).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert any(parameter.grad is not None for parameter in student.parameters())
    teacher_parameters = {id(parameter) for parameter in teacher.parameters()}
    assert teacher_parameters.isdisjoint(id(parameter) for parameter in loss.parameters())


def test_sizes_that_differ_are_refused(student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder) -> None:
    small = add_projection(
        copy.deepcopy(tiny_encoder), fit_projection(tiny_encoder, ["The Nile flows north."], dimensions=8)
    )
    with pytest.raises(ValueError, match="got 8 and 32"):
        TransportLoss(student, small)


def test_queue_widens_what_is_ranked_and_survives_a_checkpoint(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder
) -> None:
    student.eval()
    plain, queued = ScoresLoss(student, tiny_encoder), ScoresLoss(student, tiny_encoder, queue_batches=2)
    features = columns(student, tiny_encoder)
    torch.testing.assert_close(queued(features), plain(features))
    earlier = [
        {"translation": "Mwalimu aliwaomba wanafunzi.", "english": "The teacher asked the pupils."},
        {"translation": "Mto Nili hutiririka kaskazini.", "english": "The Nile flows north to the sea."},
    ]
    queued(columns(student, tiny_encoder, earlier))
    mixture = MixtureLoss(student, tiny_encoder, {"scores": (queued, 1.0)})
    other = MixtureLoss(student, tiny_encoder, {"scores": (ScoresLoss(student, tiny_encoder, queue_batches=2), 1.0)})
    other.restore(mixture.state())
    restored = other(features)["scores"]
    torch.testing.assert_close(restored, mixture(features)["scores"])
    assert (restored - plain(features)).detach().abs() > 1e-4
    assert len(queued.queue) == 2
