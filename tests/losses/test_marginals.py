"""Where the mass of a token comes from: its word, its length, its rarity."""

import copy

import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from kivuko.errors import ConfigError
from kivuko.losses import MixtureLoss, SentenceLoss, TokenBatch, TokenMarginals, TransportLoss, word_beginnings
from kivuko.transport import rarity_marginal, weighted_marginal, word_marginal


def batch_of(encoder: MultiVectorEncoder, sentences: list[str]) -> TokenBatch:
    features = encoder.preprocess(sentences)
    content = features["attention_mask"].bool() & ~torch.isin(
        features["input_ids"], torch.tensor(encoder.tokenizer.all_special_ids)
    )
    return TokenBatch(torch.zeros(*content.shape, 4), content, content, ids=features["input_ids"])


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["<s>", "▁fer", "ry", "▁", "man"], [False, True, False, True, False]),
        (["fer", "ry", "Ġman", "##"], [False, False, True, False]),
        (["fer", "##ry", "man", "."], [True, False, True, True]),
    ],
    ids=["SentencePiece", "byte-level", "WordPiece"],
)
def test_beginnings_of_words_are_known_by_the_mark(pieces: list[str], expected: list[bool]) -> None:
    assert word_beginnings(pieces).tolist() == expected


def test_tokenizer_without_marks_is_refused() -> None:
    with pytest.raises(ConfigError, match="Use marginals = 'uniform'"):
        word_beginnings(["a", "b"])


def test_mass_by_word_is_that_of_the_words_the_tokenizer_reports(
    tiny_encoder: MultiVectorEncoder, sentences: list[str]
) -> None:
    batch = batch_of(tiny_encoder, sentences)
    encoded = tiny_encoder.tokenizer(sentences, padding=True)
    words = torch.tensor(
        [[-1 if word is None else word for word in encoded.word_ids(item)] for item in range(len(sentences))]
    )
    found = TokenMarginals("word", tiny_encoder)(batch, batch.content)
    assert (torch.bincount(words[0][words[0] >= 0]) > 1).any()
    torch.testing.assert_close(found, word_marginal(words, batch.content))


def test_mass_by_rarity_counts_the_sentences_so_far_and_survives_a_checkpoint(
    tiny_encoder: MultiVectorEncoder, sentences: list[str]
) -> None:
    first, second = batch_of(tiny_encoder, sentences[:6]), batch_of(tiny_encoder, sentences[6:])
    marginals, resumed = TokenMarginals("rarity", tiny_encoder), TokenMarginals("rarity", tiny_encoder)
    marginals(first, first.content)
    resumed.restore(marginals.state())
    frequency = torch.zeros(len(tiny_encoder.tokenizer))
    for sentence in sentences:
        for piece in set(tiny_encoder.tokenizer(sentence, add_special_tokens=False)["input_ids"]):
            frequency[piece] += 1
    expected = rarity_marginal(second.ids, frequency, second.content, documents=len(sentences))
    torch.testing.assert_close(resumed(second, second.content), expected)


def features_of(encoder: MultiVectorEncoder, sentences: list[str]) -> dict[str, torch.Tensor]:
    return dict(encoder.preprocess(sentences, task="query")) | {"task": "query"}


def test_lengths_are_those_before_normalization(tiny_encoder: MultiVectorEncoder, sentences: list[str]) -> None:
    student = copy.deepcopy(tiny_encoder).eval()
    with torch.no_grad():
        weight = student[0].auto_model.encoder.layer[-1].output.LayerNorm.weight
        weight.copy_(torch.linspace(0, 2, len(weight)))
    columns = [features_of(student, sentences[1:4]), features_of(tiny_encoder, sentences[:3])]
    transport = TransportLoss(student, tiny_encoder, marginals="norm")
    mixture = MixtureLoss(
        student,
        tiny_encoder,
        {"sentence": (SentenceLoss(student, tiny_encoder), 1.0), "transport": (transport, 1.0)},
    )
    read, _ = mixture.encode(columns)
    raw = student[0](dict(columns[0]))["token_embeddings"]
    torch.testing.assert_close(read.lengths, raw.norm(dim=-1))
    found = transport.student_marginals(read, read.content)
    torch.testing.assert_close(found, weighted_marginal(raw.norm(dim=-1), read.content))
    assert found[0, 1:4].std() > 1e-3
    assert SentenceLoss(student, tiny_encoder).encode(columns)[0].lengths is None


def test_marginals_say_what_they_miss(tiny_encoder: MultiVectorEncoder) -> None:
    content = torch.ones(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="need the ids or lengths"):
        TokenMarginals("norm", tiny_encoder)(TokenBatch(torch.zeros(1, 2, 4), content, content), content)
