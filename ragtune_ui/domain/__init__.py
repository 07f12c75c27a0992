"""Things: frozen dataclasses and pure rules. Standard library only (numpy in ``scores``)."""
