"""What takes a tenant from its observed to its desired state: when, which steps, and what each does."""
