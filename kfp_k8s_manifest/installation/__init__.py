"""What is written for clusters and editors: CRDs, webhooks, JSON Schemas."""
