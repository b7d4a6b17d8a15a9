"""A real encoder, small enough to be made in each run: two layers of BERT over a tokenizer trained on a few lines."""

from pathlib import Path

import pytest
import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast

SENTENCES = [
    "The long rains begin in March, and the farmers plant maize and beans.",
    "Mvua za masika huanza mwezi wa Machi, na wakulima hupanda mahindi na maharage.",
    "The clinic in Dodoma vaccinates children against measles every Tuesday.",
    "Kliniki ya Dodoma huwachanja watoto dhidi ya surua kila Jumanne.",
    "A bus from Nairobi to Mombasa takes nine hours and costs 1,200 shillings.",
    "Basi kutoka Nairobi hadi Mombasa huchukua saa tisa na nauli ni shilingi 1,200.",
    "The teacher asked the pupils to read the story of the hare and the lion.",
    "Mwalimu aliwaomba wanafunzi wasome hadithi ya sungura na simba.",
    "Which river is the longest in Africa? The Nile flows north to the sea.",
    "Mto gani ni mrefu zaidi barani Afrika? Mto Nili hutiririka kaskazini hadi baharini.",
]


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """Ten sentences, English and Swahili by turns, that the tiny encoder's tokenizer was trained on."""
    return list(SENTENCES)


@pytest.fixture(scope="session")
def tiny_encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that `MultiVectorEncoder` loads: 32 dimensions, 256 pieces, random but fixed weights."""
    plain = tmp_path_factory.mktemp("tiny-transformer")
    pieces = BertWordPieceTokenizer(lowercase=True)
    pieces.train_from_iterator(SENTENCES, vocab_size=256, min_frequency=1, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=pieces._tokenizer, do_lower_case=True, model_max_length=64)
    config = BertConfig(
        vocab_size=pieces.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(13)
        body = BertModel(config)
        # BERT's own initialization makes all tokens look alike; wider embeddings make them differ as trained ones do.
        torch.nn.init.normal_(body.embeddings.word_embeddings.weight, std=1.0)
    body.save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    encoder = MultiVectorEncoder(
        modules=[Transformer(str(plain)), MultiVectorMask(), Normalize(module_input_name="token_embeddings")],
        device="cpu",
    )
    directory = tmp_path_factory.mktemp("models") / "tiny"
    encoder.save(str(directory), create_model_card=False)
    return directory


@pytest.fixture(scope="session")
def tiny_encoder(tiny_encoder_dir: Path) -> MultiVectorEncoder:
    """The tiny encoder, loaded once: use it, do not change it."""
    return MultiVectorEncoder(str(tiny_encoder_dir), device="cpu")
