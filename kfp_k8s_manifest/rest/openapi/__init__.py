"""The API's own description: an OpenAPI document of all that the server answers."""
