"""Tables of camera responses, the choice of a few from a database, and the kind of device that made a file."""
