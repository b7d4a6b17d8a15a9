"""A real encoder, small enough to be made in each run: two layers of BERT over a tokenizer trained on a few lines."""

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import sentencepiece
import torch
from hypothesis import HealthCheck, settings
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from tokenizers import BertWordPieceTokenizer, Tokenizer
from tokenizers.trainers import WordPieceTrainer
from transformers import BertConfig, BertModel, BertTokenizerFast, MarianConfig, MarianMTModel, PretrainedConfig

# Examples are the same in every run, and how long one takes says nothing on a machine that is shared.
settings.register_profile("kivuko", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kivuko")

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


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """Let every test draw the same numbers in every run, whichever tests ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """Ten sentences, English and Swahili by turns, that the tiny encoder's tokenizer was trained on."""
    return list(SENTENCES)


@pytest.fixture(scope="session")
def train_tiny_vocabulary() -> Callable[[], dict[str, int]]:
    """Train the vocabulary of the tiny encoder: always the same one."""

    def train() -> dict[str, int]:
        # Named beforehand, letters get the same numbers each time; the trainer breaks ties by them.
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        tokenizer: Tokenizer = BertWordPieceTokenizer(lowercase=True)._tokenizer
        letters = sorted(set(tokenizer.normalizer.normalize_str("".join(SENTENCES)).replace(" ", "")))
        trainer = WordPieceTrainer(
            vocab_size=256,
            min_frequency=1,
            special_tokens=[*special, *letters, *(f"##{letter}" for letter in letters)],
            show_progress=False,
        )
        tokenizer.train_from_iterator(SENTENCES, trainer)
        return tokenizer.get_vocab(with_added_tokens=False)

    return train


@pytest.fixture(scope="session")
def tiny_encoder_dir(
    tmp_path_factory: pytest.TempPathFactory, train_tiny_vocabulary: Callable[[], dict[str, int]]
) -> Path:
    """A directory that `MultiVectorEncoder` loads: 32 dimensions, 256 pieces, random but fixed weights."""
    plain = tmp_path_factory.mktemp("tiny-transformer")
    pieces = BertWordPieceTokenizer(train_tiny_vocabulary(), lowercase=True)
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


@pytest.fixture(scope="session")
def terse_encoder(tiny_encoder: MultiVectorEncoder) -> MultiVectorEncoder:
    """An encoder that drops the special tokens and the full stop, so that some texts have no token left."""
    mask = MultiVectorMask(["[CLS]", "[SEP]", "."], skiplist_tasks=["query", "document"])
    modules = [tiny_encoder[0], mask, Normalize(module_input_name="token_embeddings")]
    return MultiVectorEncoder(modules=modules, device="cpu")


@pytest.fixture(scope="session")
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """Let no file grow beyond so many bytes: a write stops half-way and fails, as on a full disk."""

    @contextmanager
    def limited(bytes_: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture(scope="session")
def translator_sizes() -> dict[str, int]:
    """The sizes of a translation model that is made in each run."""
    return {
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "max_position_embeddings": 160,
    }


@pytest.fixture(scope="session")
def save_translator() -> Callable[[type, PretrainedConfig, Path], None]:
    """Save a translation model of a config, with random but fixed weights."""

    def save(kind: type, config: PretrainedConfig, folder: Path) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            model = kind(config)
            for name, weight in model.named_parameters():
                if "norm" not in name and "bias" not in name:
                    torch.nn.init.normal_(weight, std=0.5)
            # Decoding starts from padding, whose embedding is zero in every trained Marian model; CTranslate2 relies on
            # it.
            torch.nn.init.zeros_(model.get_input_embeddings().weight[config.pad_token_id])
        model.save_pretrained(folder)

    return save


@pytest.fixture(scope="session")
def write_marian(
    translator_sizes: dict[str, int], save_translator: Callable[[type, PretrainedConfig, Path], None]
) -> Callable[..., Path]:
    """Write a Marian model as the hub has them: two sentencepiece models and a vocabulary of its own order."""

    def write(folder: Path, sentences: list[str], *, languages: tuple[str, ...] = ()) -> Path:
        folder.mkdir(parents=True)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_prefix=str(folder / "source"),
            vocab_size=120,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / "source.vocab").unlink()
        (folder / "source.model").rename(folder / "source.spm")
        shutil.copy(folder / "source.spm", folder / "target.spm")
        model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
        pieces = [model.id_to_piece(number) for number in range(model.get_piece_size())]
        words = ["</s>", "<unk>", *(piece for piece in pieces if piece not in ("<s>", "</s>", "<unk>"))]
        words += [f">>{language}<<" for language in languages] + ["<pad>"]
        (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "MarianTokenizer"}))
        pad = len(words) - 1
        config = MarianConfig(
            vocab_size=len(words),
            pad_token_id=pad,
            eos_token_id=0,
            bos_token_id=0,
            decoder_start_token_id=pad,
            forced_eos_token_id=None,  # at the limit of length; CTranslate2 just stops there
            bad_words_ids=[[pad]],
            scale_embedding=True,
            static_position_embeddings=True,
            **translator_sizes,
        )
        save_translator(MarianMTModel, config, folder)
        return folder

    return write
