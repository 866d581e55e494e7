"""The commands about what is installed: its state, its history, a backup, back to what was before, and away with it."""
