"""The unprivileged HTTP process: parse requests, call ops, render responses."""
