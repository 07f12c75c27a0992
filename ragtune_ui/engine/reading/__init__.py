"""What is inside files: each format's way from bytes to titled Markdown pages. Runs in the child process."""
