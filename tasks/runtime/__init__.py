"""What steps of both sides run on: the step, its state, options, the project, the console."""
