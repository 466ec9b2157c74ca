//! The customers of a town, as they are known by name.

use std::borrow::Cow::Borrowed;

use super::profile::{PriceRange, Profile, WireStyle};

/// The known profiles.
pub const PROFILES: [Profile; 4] = [
    Profile {
        name: Borrowed("commuter"),
        drink_weights: Borrowed(&[2, 5, 3]),
        store_weights: Borrowed(&[2, 4, 5, 1]),
        // On the way to work, and some on the way home.
        hour_weights: Some([0, 0, 0, 0, 0, 2, 6, 12, 14, 8, 3, 2, 2, 2, 2, 3, 5, 7, 4, 1, 0, 0, 0, 0]),
        price: PriceRange {
            low_cents: 250,
            usual_cents: 350,
            high_cents: 550,
        },
        orders_per_visit: (1, 1),
        double_taps_per_mille: 20,
        pause_millis: (0, 0),
        wire: WireStyle::Plain,
    },
    Profile {
        name: Borrowed("regular"),
        drink_weights: Borrowed(&[4, 2, 4]),
        store_weights: Borrowed(&[3, 2, 2, 3]),
        // Whenever the stores are open.
        hour_weights: Some([0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 5, 4, 4, 4, 5, 5, 4, 3, 3, 2, 2, 1, 0, 0]),
        price: PriceRange {
            low_cents: 300,
            usual_cents: 425,
            high_cents: 650,
        },
        orders_per_visit: (1, 2),
        double_taps_per_mille: 5,
        pause_millis: (0, 0),
        wire: WireStyle::Plain,
    },
    Profile {
        name: Borrowed("office-run"),
        drink_weights: Borrowed(&[3, 3, 4]),
        store_weights: Borrowed(&[1, 5, 4, 1]),
        // Before the morning's meetings, and after lunch.
        hour_weights: Some([0, 0, 0, 0, 0, 0, 0, 0, 3, 9, 7, 2, 1, 5, 7, 3, 1, 0, 0, 0, 0, 0, 0, 0]),
        price: PriceRange {
            low_cents: 280,
            usual_cents: 400,
            high_cents: 900,
        },
        orders_per_visit: (6, 14),
        double_taps_per_mille: 2,
        pause_millis: (0, 0),
        wire: WireStyle::Plain,
    },
    Profile {
        name: Borrowed("tourist"),
        drink_weights: Borrowed(&[5, 1, 4]),
        store_weights: Borrowed(&[1, 3, 5, 2]),
        // After a long breakfast.
        hour_weights: Some([0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 5, 7, 6, 6, 8, 9, 8, 6, 4, 3, 2, 1, 1, 0]),
        price: PriceRange {
            low_cents: 350,
            usual_cents: 600,
            high_cents: 2_500,
        },
        orders_per_visit: (1, 4),
        double_taps_per_mille: 60,
        pause_millis: (5, 60),
        wire: WireStyle::Abroad,
    },
];

/// The known profile of that name.
#[must_use]
pub fn profile_named(name: &str) -> Option<Profile> {
    PROFILES.into_iter().find(|profile| profile.name == name)
}
