"""What a person types. Speaks HTTP like anyone else; `admin` is for the host only and opens the store."""
