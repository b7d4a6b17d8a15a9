import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from kivuko.curation.tokens import check_models, encode_tokens, pad, transport_costs
from kivuko.errors import ModelError
from kivuko.models.teacher import Projection, add_projection
from kivuko.transport import exact_transport


def test_sentences_come_in_their_order_and_alone_as_in_company(
    tiny_encoder: MultiVectorEncoder, sentences: list[str]
) -> None:
    together = encode_tokens(tiny_encoder, sentences)
    for place, text in enumerate(sentences):
        alone = encode_tokens(tiny_encoder, [text])
        count = int(alone.mask.sum())
        assert int(together.mask[place].sum()) == count
        torch.testing.assert_close(together.embeddings[place, :count], alone.embeddings[0], atol=1e-5, rtol=0)


def test_only_tokens_with_content_take_part(tiny_encoder: MultiVectorEncoder) -> None:
    tokens = encode_tokens(tiny_encoder, ["rains", ""])
    expected = len(tiny_encoder.tokenizer("rains", add_special_tokens=False)["input_ids"])
    assert tokens.mask.sum(1).tolist() == [expected, 0]
    assert not tokens.embeddings[1].any()
    np.testing.assert_array_equal(tokens.means()[1], 0)


def test_cost_lies_between_the_exact_one_and_that_of_independence(
    tiny_encoder: MultiVectorEncoder, sentences: list[str]
) -> None:
    tokens = encode_tokens(tiny_encoder, sentences[:3])
    [found] = transport_costs(tokens, tokens, [(0, 2)])
    one, other = (tokens.embeddings[place][tokens.mask[place]].double() for place in (0, 2))
    cost = (1 - one @ other.T)[None]
    a, b = (torch.full((1, size), 1 / size, dtype=torch.float64) for size in cost.shape[1:])
    assert float(exact_transport(cost, a, b).value) - 1e-3 <= found <= float(cost.mean()) + 1e-3


def test_costs_come_in_the_order_of_the_pairs(tiny_encoder: MultiVectorEncoder, sentences: list[str]) -> None:
    tokens = encode_tokens(tiny_encoder, sentences)
    pairs = [(i, j) for i in range(5) for j in (7, 2)]
    together = transport_costs(tokens, tokens, pairs)
    alone = [transport_costs(tokens, tokens, [pair])[0] for pair in pairs]
    np.testing.assert_allclose(together, alone, atol=2e-3)


def test_sentence_without_tokens_is_as_far_as_what_has_no_relation() -> None:
    sides = pad([torch.eye(2), torch.empty(0, 2)], dim=2)
    assert transport_costs(sides, sides, [(0, 1), (1, 1)]).tolist() == [1, 1]


def test_models_of_different_dimensions_are_refused(tiny_encoder: MultiVectorEncoder) -> None:
    narrow = add_projection(tiny_encoder, Projection(torch.eye(8, 32), 1.0))
    with pytest.raises(ModelError, match="8 dimensions and the student's 32"):
        check_models(tiny_encoder, narrow)
