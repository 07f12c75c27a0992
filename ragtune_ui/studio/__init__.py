"""Stages: what a person can ask for, one desk a stage. No Gradio, no torch."""
