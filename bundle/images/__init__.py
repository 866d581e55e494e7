"""The places on disk that hold images: layouts, Docker archives, save and load streams."""
