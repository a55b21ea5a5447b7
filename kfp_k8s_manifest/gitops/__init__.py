"""A repository of pipelines: what it holds, what changes in it, and what git and the cluster differ in."""
