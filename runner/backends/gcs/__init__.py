"""The Google Cloud Storage backend. Source: the JSON API v1 as Google describes it."""
