"""The client driver: plays a scenario's steps on the client leg."""
