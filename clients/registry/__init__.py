"""A registry: reading from a repository, uploading to it, referrers."""
