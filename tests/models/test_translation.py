import json
import shutil
from collections.abc import Callable
from pathlib import Path

import ctranslate2
import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.trainers import BpeTrainer
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    NllbTokenizer,
    PretrainedConfig,
)

from kivuko.data.collections import Query
from kivuko.errors import ModelError
from kivuko.models.languages import flores_code
from kivuko.models.translation import Translator, TranslatorConfig, load_translator, translate_queries
from kivuko.models.translation_cache import TranslationCache

# CTranslate2's converter loads a tokenizer too, and lets it say that a package would be nice to have.
pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


@pytest.fixture(scope="module")
def marian_dir(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[str], write_marian: Callable[..., Path]
) -> Path:
    return write_marian(tmp_path_factory.mktemp("marian") / "opus-mt-sw-en", sentences)


@pytest.fixture(scope="module")
def marian(marian_dir: Path) -> Translator:
    return load_translator(TranslatorConfig(model=str(marian_dir), source="sw", max_tokens=24, batch_size=4))


@pytest.fixture(scope="module")
def nllb_dir(
    tmp_path_factory: pytest.TempPathFactory,
    sentences: list[str],
    translator_sizes: dict[str, int],
    save_translator: Callable[[type, PretrainedConfig, Path], None],
) -> Path:
    folder = tmp_path_factory.mktemp("nllb")
    pieces = Tokenizer(BPE(unk_token="<unk>"))
    pieces.pre_tokenizer = Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces.train_from_iterator(sentences, BpeTrainer(vocab_size=150, special_tokens=special, show_progress=False))
    trained = json.loads(pieces.to_str())["model"]
    tokenizer = NllbTokenizer(vocab=trained["vocab"], merges=[tuple(merge) for merge in trained["merges"]])
    tokenizer.save_pretrained(folder)
    config = M2M100Config(
        vocab_size=len(tokenizer), pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, **translator_sizes
    )
    save_translator(M2M100ForConditionalGeneration, config, folder)
    return folder


def test_a_batch_is_translated_as_its_texts_one_by_one(marian: Translator, sentences: list[str]) -> None:
    together = marian.translate(sentences)
    assert together == [marian.translate([text])[0] for text in sentences]
    assert len(set(together)) > len(sentences) / 2


@pytest.mark.parametrize("beams", [1, 3])
def test_ctranslate2_translates_as_transformers_does(
    tmp_path: Path, marian_dir: Path, sentences: list[str], beams: int
) -> None:
    converted = tmp_path / "ct2"
    ctranslate2.converters.TransformersConverter(
        str(marian_dir), copy_files=["source.spm", "target.spm", "vocab.json", "tokenizer_config.json"]
    ).convert(str(converted))
    settings = {"source": "sw", "beams": beams, "max_tokens": 8}
    ours = load_translator(TranslatorConfig(model=str(marian_dir), **settings))
    theirs = load_translator(TranslatorConfig(model=str(converted), **settings))
    assert theirs.translate(sentences) == ours.translate(sentences)
    assert theirs.key.model != ours.key.model


def test_queries_keep_their_ids_and_order(marian: Translator) -> None:
    queries = [Query("b", "Mto gani ni mrefu zaidi barani Afrika?"), Query("a", "Mvua"), Query("c", "?!")]
    translated = translate_queries(queries, marian)
    assert [query.query_id for query in translated] == ["b", "a", "c"]
    assert translated[0].text == marian.translate([queries[0].text])[0]
    assert translated[2].text == "?!"


def test_what_the_cache_has_is_not_translated_again(tmp_path: Path, marian: Translator, sentences: list[str]) -> None:
    path = tmp_path / "translations.jsonl"
    first = marian.translate([*sentences, sentences[0]], cache=TranslationCache(path))
    cache = TranslationCache(path)
    cache.add(marian.key, [("Habari mpya", "News")])
    assert marian.translate([*sentences, sentences[0], "Habari mpya"], cache=cache) == [*first, "News"]
    assert len(path.read_text().splitlines()) == len(sentences) + 1


def test_an_nllb_model_is_told_both_languages(nllb_dir: Path, sentences: list[str]) -> None:
    def translated(source: str, target: str) -> list[str]:
        config = TranslatorConfig(model=str(nllb_dir), source=source, target=target, max_tokens=12, beams=2)
        return load_translator(config).translate(sentences)

    english = translated("sw", "en")
    assert english != translated("ha", "en")
    assert english != translated("sw", "fr")


def test_a_language_that_the_model_does_not_know_is_refused(nllb_dir: Path) -> None:
    with pytest.raises(ModelError, match="does not know the language 'tlh'"):
        load_translator(TranslatorConfig(model=str(nllb_dir), source="tlh"))


def test_a_marian_model_of_several_targets_is_told_which(
    tmp_path: Path, sentences: list[str], write_marian: Callable[..., Path]
) -> None:
    folder = write_marian(tmp_path / "en-mul", sentences, languages=("swh", "hau"))
    english = sentences[::2]
    swahili, hausa = (
        load_translator(TranslatorConfig(model=str(folder), source="en", target=target, max_tokens=12))
        for target in ("sw", "ha")
    )
    assert swahili.translate(english) != hausa.translate(english)
    with pytest.raises(ModelError, match="does not translate to 'yo', but to >>swh<<, >>hau<<"):
        load_translator(TranslatorConfig(model=str(folder), source="en", target="yo"))


def test_weights_that_would_be_unpickled_are_refused(tmp_path: Path, marian_dir: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(marian_dir, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"cannot be loaded.*safetensors"):
        load_translator(TranslatorConfig(model=str(folder), source="sw"))


def test_a_missing_tokenizer_is_named(tmp_path: Path, marian_dir: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(marian_dir, folder)
    for name in ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(ModelError, match="tokenizer in the same directory"):
        load_translator(TranslatorConfig(model=str(folder), source="sw"))


def test_a_damaged_ctranslate2_model_is_refused(tmp_path: Path, marian_dir: Path) -> None:
    folder = tmp_path / "ct2"
    shutil.copytree(marian_dir, folder)
    (folder / "model.bin").write_bytes(b"nothing")
    (folder / "shared_vocabulary.json").write_text("[]")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_translator(TranslatorConfig(model=str(folder), source="sw"))


def test_the_key_changes_with_all_that_a_translation_depends_on(marian_dir: Path, marian: Translator) -> None:
    greedy = TranslatorConfig(model=str(marian_dir), source="sw", max_tokens=24, beams=1)
    assert load_translator(greedy).key != marian.key
    assert load_translator(greedy).key.model == marian.key.model


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValidationError):
        TranslatorConfig(model="x", source="sw", beams=0)


def test_languages_have_the_codes_of_flores() -> None:
    assert {code: flores_code(code) for code in ("sw", "so", "tl", "mr", "ha", "yo", "en", "hau", "fa")} == {
        "sw": "swh_Latn",
        "so": "som_Latn",
        "tl": "tgl_Latn",
        "mr": "mar_Deva",
        "ha": "hau_Latn",
        "yo": "yor_Latn",
        "en": "eng_Latn",
        "hau": "hau_Latn",
        "fa": "pes_Arab",
    }
