//! The library of the gallery holds nothing to use: its programs stand in `src/bin`, one idea each.
