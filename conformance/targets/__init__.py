"""What is driven: the reference proxy in process, or any external proxy, in front of the mock or the real API."""
