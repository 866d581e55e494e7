"""What crosses the gap: values, files and formats. Knows no network and no doit."""
