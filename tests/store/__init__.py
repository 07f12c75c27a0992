"""Tests of the shelves: what was kept is there, whatever happened in between."""
