import json
from pathlib import Path

import pytest
import torch
from sentence_transformers import MultiVectorEncoder
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from kivuko.data.bitext import SentencePair
from kivuko.errors import ModelError
from kivuko.models.copied_words import separate_words
from kivuko.models.encoder import backbone, load_encoder
from kivuko.models.transplant import transplant
from kivuko.models.vocabulary import extend_vocabulary


def pairs_of(sentences: list[str]) -> list[SentencePair]:
    return [SentencePair(*pair) for pair in zip(sentences[::2], sentences[1::2], strict=True)]


@pytest.fixture(scope="module")
def pairs(sentences: list[str]) -> list[SentencePair]:
    return pairs_of(sentences) * 3


def embedding(encoder: MultiVectorEncoder, piece: str) -> torch.Tensor:
    index = encoder.tokenizer.convert_tokens_to_ids(piece)
    return backbone(encoder).model.get_input_embeddings().weight[index].detach()


def test_teacher_pieces_keep_their_ids(tiny_encoder: MultiVectorEncoder, pairs: list[SentencePair]) -> None:
    teacher = tiny_encoder.tokenizer.backend_tokenizer
    extended = extend_vocabulary(teacher, pairs, size=300)
    new = extended.tokenizer.get_vocab()
    assert all(new[piece] == index for piece, index in teacher.get_vocab().items())
    assert [new[piece] for piece in extended.new_pieces] == list(
        range(extended.kept, extended.kept + len(extended.new_pieces))
    )
    assert extended.new_pieces


def test_new_pieces_cut_the_language_into_fewer(tiny_encoder: MultiVectorEncoder, pairs: list[SentencePair]) -> None:
    teacher = tiny_encoder.tokenizer.backend_tokenizer
    extended = extend_vocabulary(teacher, pairs, size=400).tokenizer
    text = pairs[0].translation
    assert len(extended.encode(text).ids) < len(teacher.encode(text).ids)


def test_unigram_teacher_is_extended_too(sentences: list[str]) -> None:
    teacher = Tokenizer(models.Unigram())
    teacher.pre_tokenizer = pre_tokenizers.Metaspace()
    teacher.train_from_iterator(
        sentences[::2],
        trainers.UnigramTrainer(vocab_size=80, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False),
    )
    extended = extend_vocabulary(teacher, pairs_of(sentences), size=90)
    assert extended.tokenizer.decode(extended.tokenizer.encode(sentences[1]).ids)
    assert all(extended.tokenizer.token_to_id(piece) == index for piece, index in teacher.get_vocab().items())
    assert extended.new_pieces


def test_names_stay_cut_as_the_teacher_cuts_them(tiny_encoder: MultiVectorEncoder, pairs: list[SentencePair]) -> None:
    teacher = tiny_encoder.tokenizer.backend_tokenizer
    named = [SentencePair(f"{pair.english} Wanyamakula", f"{pair.translation} Wanyamakula") for pair in pairs]
    cut = teacher.encode("Wanyamakula").tokens
    assert extend_vocabulary(teacher, named, size=400).tokenizer.encode("Wanyamakula").tokens == cut
    swallowed = extend_vocabulary(teacher, named, size=400, copied_share=2)
    assert len(swallowed.tokenizer.encode("Wanyamakula").tokens) < len(cut)


def test_a_piece_that_names_use_too_much_is_left_out(tiny_encoder: MultiVectorEncoder) -> None:
    teacher = tiny_encoder.tokenizer.backend_tokenizer
    own = [SentencePair("food", "wanyama"), SentencePair("beans", "maharage")] * 2
    names = [SentencePair("Wanyamama", "Wanyamama")] * 3
    assert "wanyama" in extend_vocabulary(teacher, own, size=300).new_pieces
    pruned = extend_vocabulary(teacher, own + names, size=300)
    assert "wanyama" not in pruned.new_pieces
    assert "maharage" in pruned.new_pieces
    vocabulary = pruned.tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


def test_a_word_with_a_translation_is_not_copied() -> None:
    tokenizer = Tokenizer(models.WordPiece())
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pairs = [SentencePair("Simba roared", "Simba alinguruma"), *[SentencePair("the lion ate", "simba alikula")] * 2]
    pairs += [SentencePair("Asha", "simba")] * 2
    words = separate_words(
        tokenizer, [SentencePair(p.english.lower(), p.translation.lower()) for p in pairs], copied_share=0.5
    )
    assert "simba" in words.own
    assert not words.copied


def test_other_tokenizers_are_refused_with_the_way_out(sentences: list[str]) -> None:
    teacher = Tokenizer(models.WordLevel(unk_token="<unk>"))
    teacher.train_from_iterator(sentences, trainers.WordLevelTrainer(special_tokens=["<unk>"], show_progress=False))
    with pytest.raises(ModelError, match=r"WordLevel.*--student"):
        extend_vocabulary(teacher, pairs_of(sentences), size=80)


def test_new_piece_starts_between_the_pieces_it_translates(tiny_encoder: MultiVectorEncoder) -> None:
    pairs = [SentencePair("maize", "mahindi"), SentencePair("beans", "maharage"), SentencePair("lion", "simba")] * 5
    grown = transplant(tiny_encoder, pairs, vocabulary_size=300, iterations=10)
    lengths = [embedding(tiny_encoder, piece).norm() for piece in tiny_encoder.tokenizer.tokenize("lion")]
    simba = embedding(grown.student, "simba")
    assert "simba" in grown.vocabulary.new_pieces
    assert min(lengths) * 0.99 <= simba.norm() <= max(lengths) * 1.01
    similarities = {
        word: torch.nn.functional.cosine_similarity(
            simba,
            torch.stack([embedding(tiny_encoder, piece) for piece in tiny_encoder.tokenizer.tokenize(word)]).mean(0),
            dim=0,
        )
        for word in ("lion", "maize", "beans")
    }
    assert max(similarities, key=similarities.__getitem__) == "lion"


def test_names_keep_the_teachers_embedding(tiny_encoder: MultiVectorEncoder, pairs: list[SentencePair]) -> None:
    named = [SentencePair("Dodoma", "Dodoma"), SentencePair("Mombasa", "Mombasa")] * 5
    grown = transplant(tiny_encoder, [*pairs, *named], vocabulary_size=300)
    for piece in tiny_encoder.tokenizer.tokenize("Dodoma"):
        torch.testing.assert_close(embedding(grown.student, piece), embedding(tiny_encoder, piece))


def test_teacher_is_left_as_it_was(tiny_encoder_dir: Path, pairs: list[SentencePair]) -> None:
    teacher = load_encoder(tiny_encoder_dir)
    before = teacher.encode_query("The Nile flows north.", show_progress_bar=False)
    size = len(teacher.tokenizer)
    transplant(teacher, pairs, vocabulary_size=300)
    torch.testing.assert_close(teacher.encode_query("The Nile flows north.", show_progress_bar=False), before)
    assert len(teacher.tokenizer) == size


def test_student_is_the_same_after_saving_and_loading(
    tiny_encoder: MultiVectorEncoder, pairs: list[SentencePair], tmp_path: Path
) -> None:
    student = transplant(tiny_encoder, pairs, vocabulary_size=300).student
    student.save(str(tmp_path / "student"), create_model_card=False)
    loaded = MultiVectorEncoder(str(tmp_path / "student"), device="cpu")
    text = pairs[1].translation
    assert student.tokenizer.tokenize(text) == loaded.tokenizer.tokenize(text)
    torch.testing.assert_close(
        student.encode_query(text, show_progress_bar=False), loaded.encode_query(text, show_progress_bar=False)
    )
    modules = json.loads((tmp_path / "student" / "modules.json").read_text(encoding="utf-8"))
    assert all(module["type"].startswith("sentence_transformers.") for module in modules)


def test_padded_embedding_matrix_is_no_obstacle(tiny_encoder_dir: Path, pairs: list[SentencePair]) -> None:
    teacher = load_encoder(tiny_encoder_dir)
    model = backbone(teacher).model
    model.resize_token_embeddings(len(teacher.tokenizer) + 8, mean_resizing=False)
    grown = transplant(teacher, pairs, vocabulary_size=300)
    rows = backbone(grown.student).model.get_input_embeddings().weight.shape[0]
    assert rows == len(grown.student.tokenizer)
