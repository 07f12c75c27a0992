"""Words: numbers as people say them."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """``1 question``, ``1,200 questions``; ``many`` is for plurals that take more than an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
