"""`barnabas groups` and `barnabas share`: look at groups of all kinds, move their offsets, delete them."""
