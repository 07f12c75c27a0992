"""RAGTune: tune a language model to read your documents."""

__version__ = "0.1.0"
