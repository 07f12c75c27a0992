"""Errors: a sentence, a remedy, and never more than that on screen."""

from ragtune_ui.domain.errors import DocumentError, RagtuneError


def test_the_sentence_joins_what_happened_and_the_remedy():
    error = RagtuneError("It is full.", "Delete a file.", "errno 28")
    assert (str(error), error.sentence, error.details) == ("It is full.", "It is full. Delete a file.", "errno 28")
    assert RagtuneError("It is full.").sentence == "It is full."


def test_a_document_error_carries_the_word_of_its_row():
    assert DocumentError("It is a picture.", status="scanned").status == "scanned"
    assert DocumentError("It broke.").status == "unreadable"
