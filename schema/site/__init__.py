"""What `${...}` stands for at a site: its facts, names of images, secrets, outputs of actions."""
