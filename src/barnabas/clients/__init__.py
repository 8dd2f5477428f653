"""The clients: thin faces over one native engine. `barnabas` gives their names out."""
