"""A Realtime server that behaves like the API as recorded, faithful by default and deviant on request."""
