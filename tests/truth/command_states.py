"""The states of the command rows of the table of truth."""
