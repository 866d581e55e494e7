"""What bills of materials need of others on the connected side: CycloneDX documents, layers that zstd compressed."""
