"""What the pipelines of this repository share."""

IMAGE = "registry.dev.example.com/python:3.12-slim"
