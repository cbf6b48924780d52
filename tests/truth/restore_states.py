"""The states of the restore rows of the table of truth."""
