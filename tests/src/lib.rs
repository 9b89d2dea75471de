//! Relink's journeys.
