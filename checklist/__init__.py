"""The rules: what an item is, its life, the gate, the files and the reports. Draws nothing."""
