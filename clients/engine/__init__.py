"""A Docker Engine: its connection, its images, their names."""
