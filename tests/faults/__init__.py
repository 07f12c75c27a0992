"""Kills, full disks and hostile files, with real processes."""
