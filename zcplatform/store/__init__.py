"""All SQL of the platform, one file per subject. Functions take a connection on which a transaction is open."""
