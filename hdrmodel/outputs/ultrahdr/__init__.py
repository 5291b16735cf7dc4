"""Ultra HDR: a JPEG that every program opens, with a gain map."""
