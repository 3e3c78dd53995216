"""Pictures by the million: any storage in and out, many processes or a Ray cluster."""
