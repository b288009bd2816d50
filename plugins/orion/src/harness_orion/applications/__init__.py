"""The paper's applications: plain loop bodies, and the arrays that they begin with."""
