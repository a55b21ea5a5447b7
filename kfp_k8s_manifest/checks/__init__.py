"""The rules: what the cluster would say of an object, and what a run of it would run into."""
