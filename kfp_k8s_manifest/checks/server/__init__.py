"""What the API server says: decoding, metadata, the CRDs' schemas, unknown fields, sizes."""
