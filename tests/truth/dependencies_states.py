"""The states of the dependencies rows of the table of truth."""
