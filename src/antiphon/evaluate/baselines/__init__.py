"""Systems to hold the space against."""
