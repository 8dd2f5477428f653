"""The clients as their users' type checkers see them: mypy --strict reads these files, nothing runs them."""
