"""Values of the OCI specifications: digests, references, platforms, descriptors, media types, locations."""
