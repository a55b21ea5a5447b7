"""What the text says that the object does not: quotes that are missing, keys that are read as others."""
