"""The packages of an image, read from its layers, and the documents that list them."""
