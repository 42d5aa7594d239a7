"""What k of n can show: rates, differences, survival and power, all from SciPy, imported only when something is asked."""
