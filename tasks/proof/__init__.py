"""Steps that prove that every image that charts render is in the bundle."""
