"""The report on a bundle for whoever approves it: its model, its page, what changed."""
