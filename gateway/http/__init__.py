"""The HTTP application: routing, requests, responses, problems, pages and the OpenAPI document."""
