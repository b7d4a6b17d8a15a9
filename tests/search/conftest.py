import pytest
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

from kivuko.data.collections import Document


@pytest.fixture(scope="session")
def documents(sentences: list[str]) -> list[Document]:
    titles = ["", "Mvua", "", "Kliniki ya Dodoma", "Bus"]
    return [Document(f"d{n}", titles[n % 5], text) for n, text in enumerate(sentences)]


@pytest.fixture(scope="session")
def terse_encoder(tiny_encoder: MultiVectorEncoder) -> MultiVectorEncoder:
    """An encoder that drops the special tokens and the full stop, so that some texts have no token left."""
    mask = MultiVectorMask(["[CLS]", "[SEP]", "."], skiplist_tasks=["query", "document"])
    modules = [tiny_encoder[0], mask, Normalize(module_input_name="token_embeddings")]
    return MultiVectorEncoder(modules=modules, device="cpu")
