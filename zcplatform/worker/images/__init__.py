"""Agent images: pulled, built or removed, inspected, and checked against the tenants that would run on them."""
