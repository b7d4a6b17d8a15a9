"""Teachers with byte-pair encoding: their merges first, and new ones that build on them."""

import json
from pathlib import Path

import pytest
import torch
from sentence_transformers import MultiVectorEncoder
from tokenizers import ByteLevelBPETokenizer, Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
)

from kivuko.data.bitext import SentencePair
from kivuko.models.encoder import backbone, load_encoder
from kivuko.models.merges import added_merges, continued_merges, with_merges
from kivuko.models.transplant import transplant
from kivuko.models.vocabulary import extend_vocabulary


@pytest.fixture(scope="module")
def pairs(sentences: list[str]) -> list[SentencePair]:
    return [SentencePair(*pair) for pair in zip(sentences[::2], sentences[1::2], strict=True)] * 3


@pytest.fixture(scope="module")
def byte_level(sentences: list[str]) -> Tokenizer:
    """Byte-level BPE of English, with one added token behind the vocabulary, as RoBERTa has it."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        sentences[::2], vocab_size=400, min_frequency=1, special_tokens=["<s>", "<pad>", "</s>", "<unk>"]
    )
    tokenizer.add_special_tokens(["<mask>"])
    return tokenizer._tokenizer


def test_the_teachers_pieces_keep_their_ids_and_english_its_cut(
    byte_level: Tokenizer, pairs: list[SentencePair]
) -> None:
    extended = extend_vocabulary(byte_level, pairs, size=200)
    vocabulary = extended.tokenizer.get_vocab()
    assert all(vocabulary[piece] == index for piece, index in byte_level.get_vocab().items())
    assert sorted(vocabulary.values()) == list(range(extended.kept + len(extended.new_pieces)))
    assert extended.tokenizer.token_to_id("<mask>") == byte_level.token_to_id("<mask>")
    assert extended.tokenizer.encode("<mask>").ids == byte_level.encode("<mask>").ids


def test_every_new_merge_is_reached(byte_level: Tokenizer, pairs: list[SentencePair]) -> None:
    texts = [pair.translation for pair in pairs]
    merges = continued_merges(byte_level, texts, size=40, min_frequency=1)
    specification, new = with_merges(byte_level, merges, first_id=byte_level.get_vocab_size())
    extended = Tokenizer.from_str(json.dumps(specification))
    assert added_merges(byte_level, extended) == merges
    assert len(new) == len(merges) == 40
    # A piece that a later merge takes up in every word is not seen at the end; without the later ones it is.
    for count in range(1, len(merges) + 1):
        specification, some = with_merges(byte_level, merges[:count], first_id=byte_level.get_vocab_size())
        shorter = Tokenizer.from_str(json.dumps(specification))
        assert some[-1] in {piece for text in texts for piece in shorter.encode(text).tokens}


def test_text_comes_back_from_its_pieces(byte_level: Tokenizer, pairs: list[SentencePair]) -> None:
    extended = extend_vocabulary(byte_level, pairs, size=200).tokenizer
    for text in (pairs[0].translation, "Ọjọ́ wọ̀nyí, ጤና ይስጥልኝ", "मराठी 😀"):
        assert extended.decode(extended.encode(text).ids) == text
        assert len(extended.encode(text).ids) <= len(byte_level.encode(text).ids)
    assert len(extended.encode(pairs[0].translation).ids) < len(byte_level.encode(pairs[0].translation).ids) / 2


def test_no_piece_goes_across_words(sentences: list[str]) -> None:
    metaspace = Tokenizer(models.BPE(unk_token="<unk>"))
    metaspace.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>"], show_progress=False)
    metaspace.train_from_iterator((word for text in sentences for word in text.split()), trainer)
    pairs = [SentencePair("in the village", "katika kijiji")] * 9
    new = extend_vocabulary(metaspace, pairs, size=300).new_pieces
    assert "▁kijiji" in new
    assert all("▁" not in piece[1:] for piece in new)


def test_names_stay_cut_as_the_teacher_cuts_them(byte_level: Tokenizer, pairs: list[SentencePair]) -> None:
    named = [SentencePair(f"{pair.english} Wanyamakula", f"{pair.translation} Wanyamakula") for pair in pairs]
    cut = byte_level.encode(" Wanyamakula").tokens
    assert extend_vocabulary(byte_level, named, size=200).tokenizer.encode(" Wanyamakula").tokens == cut
    swallowed = extend_vocabulary(byte_level, named, size=200, copied_share=2)
    assert len(swallowed.tokenizer.encode(" Wanyamakula").tokens) < len(cut)


def test_a_piece_that_names_use_too_much_is_left_out_with_what_is_made_of_it(byte_level: Tokenizer) -> None:
    own = [SentencePair("animals", "we wanyama"), SentencePair("beans", "the maharage")] * 2
    names = [SentencePair("the wanyamama", "the wanyamama")] * 3
    assert "Ġwanyama" in extend_vocabulary(byte_level, own, size=200).new_pieces
    pruned = extend_vocabulary(byte_level, own + names, size=200)
    assert "Ġwanyama" not in pruned.new_pieces
    assert "Ġmaharage" in pruned.new_pieces
    vocabulary = pruned.tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


@pytest.mark.parametrize("kind", ["roberta", "modernbert"])
def test_a_student_grows_on_such_a_teacher(
    kind: str, byte_level: Tokenizer, pairs: list[SentencePair], tmp_path: Path
) -> None:
    special = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    shape = {
        "vocab_size": byte_level.get_vocab_size() + 3,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 66,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        if kind == "roberta":
            RobertaModel(RobertaConfig(**shape, pad_token_id=1)).save_pretrained(tmp_path / "plain")
            RobertaTokenizerFast(tokenizer_object=byte_level, mask_token="<mask>").save_pretrained(tmp_path / "plain")
        else:
            ids = {"pad_token_id": 1, "cls_token_id": 0, "sep_token_id": 2, "bos_token_id": 0, "eos_token_id": 2}
            ModernBertModel(ModernBertConfig(**shape, **ids)).save_pretrained(tmp_path / "plain")
            PreTrainedTokenizerFast(
                tokenizer_object=byte_level, mask_token="<mask>", model_max_length=64, **special
            ).save_pretrained(tmp_path / "plain")
    teacher = load_encoder(tmp_path / "plain")
    grown = transplant(teacher, pairs, vocabulary_size=200)
    assert grown.vocabulary.new_pieces
    grown.student.save(str(tmp_path / "student"), create_model_card=False)
    loaded = MultiVectorEncoder(str(tmp_path / "student"), device="cpu")
    text = pairs[1].translation
    assert loaded.tokenizer.tokenize(text) == grown.vocabulary.tokenizer.encode(text, add_special_tokens=False).tokens
    assert len(loaded.tokenizer.tokenize(text)) < len(teacher.tokenizer.tokenize(text))
    assert backbone(loaded).model.get_input_embeddings().weight.shape[0] == len(loaded.tokenizer)
    torch.testing.assert_close(
        grown.student.encode_query(text, show_progress_bar=False), loaded.encode_query(text, show_progress_bar=False)
    )
