"""PostgreSQL as an EDS destination."""
