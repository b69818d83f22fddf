"""The resources, one file each: their shapes, their routes, and the few lines between HTTP and the institution."""
