"""`zcplatform`, and `python -m zcplatform`."""

from zcplatform.cli.main import main

if __name__ == "__main__":
    main()
