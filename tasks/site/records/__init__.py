"""What is kept of an installation: its revisions, the last backup, the receipt, and the history of what was done."""
