"""The unprivileged HTTP process: parse, call ops, shape the answer."""
