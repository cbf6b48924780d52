"""The senses: parameters in, `Outcome` out. Nothing here knows of checklists."""
