"""What may be asked: authorise, check, one write, wake. Functions, no classes; never anything outside the database."""
