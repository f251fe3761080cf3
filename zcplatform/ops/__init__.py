"""Operations of the API: authorize, check, write in one transaction, wake the worker. Functions that never call anything outside the database."""
