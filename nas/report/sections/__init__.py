"""Sections of report.html, a file each."""
