"""Doers: one heavy library each, behind the ports of ``domain.ports``."""
