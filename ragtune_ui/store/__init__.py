"""Shelves: folders to nouns and back. What is written here survives a crash."""
