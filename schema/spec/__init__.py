"""The typed spec."""
