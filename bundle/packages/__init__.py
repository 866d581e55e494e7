"""Which packages an image holds, told from its layers. Standard library only."""
