"""The outside systems, one module each: registries, chart repositories, downloads."""
