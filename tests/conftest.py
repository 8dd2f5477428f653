"""What all tests share."""

import os

from hypothesis import settings

# `SEED=random make test` looks for new failures; without it a run repeats the one before, so that a change is
# judged by what it changes.
settings.register_profile("repeatable", derandomize=True, print_blob=True)
settings.register_profile("random", print_blob=True)
settings.load_profile("random" if os.environ.get("SEED") == "random" else "repeatable")
