"""The only SQL of the platform; one file for each subject. Functions take a connection, which is a transaction already open."""
