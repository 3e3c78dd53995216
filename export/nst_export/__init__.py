"""Export of trained style networks; empty until there is one to export."""
