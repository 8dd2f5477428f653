"""Keys for the encryption of fields: those that encrypt keys (KEKs) and stay in a key store, and those that
encrypt data (DEKs), kept here encrypted."""
