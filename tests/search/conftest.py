import pytest

from kivuko.data.collections import Document


@pytest.fixture(scope="session")
def documents(sentences: list[str]) -> list[Document]:
    titles = ["", "Mvua", "", "Kliniki ya Dodoma", "Bus"]
    return [Document(f"d{n}", titles[n % 5], text) for n, text in enumerate(sentences)]
