"""A checklist as Markdown: the list a team has kept so far, read; and one to show, written."""

from checklist.markdown.reading import Imported, Problem, read
from checklist.markdown.writing import write

__all__ = ["Imported", "Problem", "read", "write"]
