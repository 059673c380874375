"""The OpenAPI document of the declared endpoints, its examples, and a page to try it."""
