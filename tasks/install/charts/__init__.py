"""The charts of the releases, judged against the cluster that is there: images, CRDs, and what the API server says."""
