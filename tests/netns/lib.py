"""What the tests of the real programs share: scratch directories, processes,
their statistics, network namespaces, and comparing what was received with
what was sent."""
