"""Steps that collect what crosses: images, charts, files, packages."""
