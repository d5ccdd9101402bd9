//! A range of API versions.

use std::fmt;

/// The versions of an API that somebody speaks, both ends included. Where `max` is below `min`
/// there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionRange {
    /// The oldest version.
    pub min: i16,
    /// The newest version.
    pub max: i16,
}

impl VersionRange {
    /// Whether this version is spoken.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The newest version that both speak.
    #[must_use]
    pub fn newest_common(self, other: Self) -> Option<i16> {
        let newest = self.max.min(other.max);
        (newest >= self.min.max(other.min)).then_some(newest)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_found_or_missed() {
        let ours = VersionRange { min: 4, max: 18 };
        for (min, max, expected) in [
            (0, 11, Some(11)),
            (18, 20, Some(18)),
            (0, 3, None),
            (19, 20, None),
        ] {
            assert_eq!(ours.newest_common(VersionRange { min, max }), expected);
        }
        assert!(ours.contains(4) && ours.contains(18) && !ours.contains(3));
    }
}
