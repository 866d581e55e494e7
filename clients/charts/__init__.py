"""Charts where they come from, and the images that a rendered chart names."""
