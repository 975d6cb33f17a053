"""What is quantized is said by arithmetic (:mod:`modelport.hub.decompose.simpler`)."""
