"""Who signed a list of checksums, and who is trusted to."""
