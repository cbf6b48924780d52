"""What is handed to other people and programs: pure functions from what is known to a document."""
