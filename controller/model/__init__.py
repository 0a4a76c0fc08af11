"""The words of the project as frozen data: kinds, specs, conditions, errors. No I/O."""
