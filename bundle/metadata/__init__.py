"""What tells of a bundle: manifest, receipt, checksums, deltas, and what its files are called."""
