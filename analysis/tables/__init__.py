"""The table type and its output as text, Markdown, CSV and LaTeX."""
