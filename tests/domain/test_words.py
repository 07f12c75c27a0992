"""Numbers as people say them."""

import pytest

from ragtune_ui.domain.words import counted


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [(0, ("file",), "0 files"), (1, ("file",), "1 file"), (1200, ("file",), "1,200 files"),
     (1, ("row was", "rows were"), "1 row was"), (2, ("row was", "rows were"), "2 rows were")],
)  # fmt: skip
def test_one_is_singular(number, words, said):
    assert counted(number, *words) == said
