"""Faces: the only Gradio and Plotly."""
