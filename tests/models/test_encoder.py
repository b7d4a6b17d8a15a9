"""Every kind of checkpoint becomes a late-interaction encoder; nothing is unpickled."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from kivuko.errors import ModelError
from kivuko.models.encoder import content_mask, load_encoder, model_digest, parameter_count
from kivuko.models.teacher import fit_projection, load_teacher

TEXT = "The long rains begin in March."


def embed(encoder: MultiVectorEncoder, text: str = TEXT) -> torch.Tensor:
    return torch.as_tensor(encoder.encode_document(text, show_progress_bar=False))


@pytest.fixture
def plain(tiny_encoder_dir: Path, tmp_path: Path) -> Path:
    """A plain transformers directory: no modules.json."""
    directory = tmp_path / "plain"
    directory.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_encoder_dir / name, directory)
    return directory


def test_late_interaction_checkpoint_is_loaded_as_it_is(
    tiny_encoder_dir: Path, tiny_encoder: MultiVectorEncoder
) -> None:
    torch.testing.assert_close(embed(load_encoder(tiny_encoder_dir)), embed(tiny_encoder))


def test_plain_and_dense_encoders_give_their_normalized_token_embeddings(
    plain: Path, tiny_encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    dense = tmp_path / "dense"
    transformer = Transformer(str(plain))
    SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu").save(str(dense), create_model_card=False)
    torch.testing.assert_close(embed(load_encoder(plain)), embed(tiny_encoder))
    torch.testing.assert_close(embed(load_encoder(dense)), embed(tiny_encoder))
    torch.testing.assert_close(embed(load_encoder(dense)).norm(dim=-1), torch.ones(len(embed(tiny_encoder))))


def test_pylate_checkpoint_keeps_its_projection_and_prefixes(plain: Path, tiny_encoder: MultiVectorEncoder) -> None:
    weight = torch.randn(8, 32, generator=torch.Generator().manual_seed(3))
    (plain / "1_Dense").mkdir()
    save_file({"linear.weight": weight}, plain / "1_Dense" / "model.safetensors")
    identity = "torch.nn.modules.linear.Identity"
    settings = {"in_features": 32, "out_features": 8, "bias": False, "activation_function": identity}
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
    ]
    colbert = {"model_type": "ColBERT", "query_prefix": "", "document_prefix": "", "do_query_expansion": False}
    for name, value in (
        ("1_Dense/config.json", settings),
        ("modules.json", modules),
        ("config_sentence_transformers.json", colbert),
        ("sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": False}),
    ):
        (plain / name).write_text(json.dumps(value), encoding="utf-8")
    encoder = load_encoder(plain)
    hidden = torch.as_tensor(tiny_encoder.encode_query(TEXT, show_progress_bar=False, normalize_embeddings=False))
    found = torch.as_tensor(encoder.encode_query(TEXT, show_progress_bar=False))
    assert found.shape[1] == 8
    directions = torch.nn.functional.normalize(hidden @ weight.T, dim=-1)
    torch.testing.assert_close(found, directions, atol=0.02, rtol=0.02)


def test_stanford_checkpoint_keeps_its_projection(plain: Path) -> None:
    state = {f"bert.{name}": value for name, value in load_file(plain / "model.safetensors").items()}
    state["linear.weight"] = torch.randn(8, 32, generator=torch.Generator().manual_seed(3))
    save_file(state, plain / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((plain / "config.json").read_text(encoding="utf-8"))
    (plain / "config.json").write_text(json.dumps(config | {"architectures": ["HF_ColBERT"]}), encoding="utf-8")
    metadata = {"dim": 8, "query_maxlen": 32, "doc_maxlen": 60, "mask_punctuation": True}
    (plain / "artifact.metadata").write_text(json.dumps(metadata), encoding="utf-8")
    encoder = load_encoder(plain)
    assert encoder.get_embedding_dimension() == 8
    assert embed(encoder).shape[1] == 8


@pytest.mark.parametrize("missing", ["none", "file", "empty", "pickle"])
def test_what_is_no_model_is_refused(tmp_path: Path, missing: str) -> None:
    directory = tmp_path / missing
    if missing == "file":
        directory.touch()
    elif missing != "none":
        directory.mkdir()
        (directory / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    if missing == "pickle":
        (directory / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match=r"expected (a model directory|weights in a \.safetensors)"):
        load_encoder(directory)


def test_code_in_a_checkpoint_is_not_run(plain: Path) -> None:
    config = json.loads((plain / "config.json").read_text(encoding="utf-8"))
    config["model_type"] = "of-its-own"
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (plain / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (plain / "evil.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_encoder(plain)


def test_content_leaves_out_special_tokens_and_prompts(tiny_encoder: MultiVectorEncoder) -> None:
    features = tiny_encoder.preprocess(["maize and beans", "maize"], prompt="the clinic: ", task="query")
    scoring = features["attention_mask"].bool()
    mask = content_mask(tiny_encoder, features, scoring)
    ids = features["input_ids"]
    kept = [tiny_encoder.tokenizer.decode(row[chosen]) for row, chosen in zip(ids, mask, strict=True)]
    assert kept == ["maize and beans", "maize"]


def test_digest_follows_the_weights_and_nothing_else(tiny_encoder_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_encoder_dir, copy)
    (copy / "README.md").write_text("a card", encoding="utf-8")
    assert model_digest(copy) == model_digest(tiny_encoder_dir)
    state = load_file(copy / "model.safetensors")
    state["embeddings.word_embeddings.weight"][0, 0] += 1
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    assert model_digest(copy) != model_digest(tiny_encoder_dir)


def test_projection_keeps_the_most_that_so_many_directions_can(
    tiny_encoder: MultiVectorEncoder, sentences: list[str]
) -> None:
    projection = fit_projection(tiny_encoder, sentences, dimensions=4)
    tokens = torch.cat([embed(tiny_encoder, sentence) for sentence in sentences])
    values = torch.linalg.svdvals(tokens).square()
    assert projection.variance_kept == pytest.approx(float(values[:4].sum() / values.sum()), rel=1e-4)
    torch.testing.assert_close(projection.weight @ projection.weight.T, torch.eye(4), atol=1e-5, rtol=0)


def test_projected_teacher_survives_saving_as_an_ordinary_model(
    tiny_encoder_dir: Path, sentences: list[str], tmp_path: Path
) -> None:
    teacher = load_teacher(tiny_encoder_dir, dimensions=8, english=sentences)
    teacher.save(str(tmp_path / "teacher"), create_model_card=False)
    loaded = MultiVectorEncoder(str(tmp_path / "teacher"), device="cpu")
    assert loaded.get_embedding_dimension() == 8
    torch.testing.assert_close(embed(loaded), embed(teacher))
    assert parameter_count(loaded) == parameter_count(teacher)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_teacher_with_fewer_dimensions_is_left_alone(tiny_encoder_dir: Path) -> None:
    assert load_teacher(tiny_encoder_dir, dimensions=64).get_embedding_dimension() == 32


def test_teacher_with_a_projection_is_projected_further(
    tiny_encoder_dir: Path, sentences: list[str], tmp_path: Path
) -> None:
    load_teacher(tiny_encoder_dir, dimensions=16, english=sentences).save(str(tmp_path / "t"), create_model_card=False)
    smaller = load_teacher(tmp_path / "t", dimensions=8, english=sentences)
    assert embed(smaller).shape[1] == 8


def test_hub_id_that_cannot_be_had_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"no model 'nobody/nothing'.*cannot be reached"):
        load_encoder("nobody/nothing")
