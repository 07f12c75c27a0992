"""What the question writer knows of Markdown and of English."""
