lint:
	ruff format --check .
	ruff check .
	mypy
