"""Checks: what the cluster would say of an object, and why, as findings."""
