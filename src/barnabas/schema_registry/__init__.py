"""Schema Registry: subjects and their versions, compatibility, and what each schema format asks for."""
