"""`barnabas schemas`: what a Schema Registry holds."""
