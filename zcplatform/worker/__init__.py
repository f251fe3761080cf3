"""The root process: loops that bring the machine to the desired state in the database."""
