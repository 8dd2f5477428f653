"""Which of several instances writes, and how the others hand writes on to it."""
