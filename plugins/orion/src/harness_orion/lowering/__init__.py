"""From a body to scalar loops: rows become loops over their elements, joined where they may be."""
