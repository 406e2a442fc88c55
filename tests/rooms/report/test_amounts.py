import pytest

from runner.model.tally import Amount
from runner.report.amounts import amount, count, proof


@pytest.mark.parametrize(
    ("number", "thing", "text"),
    [(0, "file", "0 files"), (1, "file", "1 file"), (1204, "file", "1,204 files"), (2, "entry", "2 entries")],
)
def test_things_are_counted_in_words(number: int, thing: str, text: str) -> None:
    assert count(number, thing) == text


def test_an_amount_has_its_exact_count_and_its_size() -> None:
    assert amount(Amount(1204, 12_900_000)) == "1,204 files (12.3MiB)"


@pytest.mark.parametrize("word", ["size", "time", ""])
def test_what_does_not_prove_the_content_is_called_unproven(word: str) -> None:
    assert "unproven" in proof(word)
    assert not proof(word).startswith("proven")
