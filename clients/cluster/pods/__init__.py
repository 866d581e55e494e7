"""What the objects of a release say: which are its own, what is ready, and what keeps the rest from coming up."""
