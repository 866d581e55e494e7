"""What charts bring up, judged by the API server before the first change."""
