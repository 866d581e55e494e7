"""The spec language: JSON Schema, typed spec, loading with places, interpolation."""
