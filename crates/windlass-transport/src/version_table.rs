//! What one broker speaks, and what is spoken with it.

use std::collections::BTreeMap;

use windlass_protocol::{ApiKey, VersionRange};

/// The versions that the broker at the other end of one connection announced, by API key. Keys
/// that this client has no name for are kept: they do no harm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VersionTable(BTreeMap<i16, VersionRange>);

impl VersionTable {
    /// From what ApiVersions listed.
    pub(crate) fn new(announced: impl IntoIterator<Item = (i16, VersionRange)>) -> Self {
        Self(announced.into_iter().collect())
    }

    /// How many APIs the broker announced.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The newest version that the broker, this client (`ours`) and the request (`max_version`)
    /// agree upon.
    ///
    /// # Errors
    ///
    /// Where there is none, who speaks what, for a person.
    pub(crate) fn choose(
        &self,
        api: ApiKey,
        ours: VersionRange,
        max_version: Option<i16>,
    ) -> Result<i16, String> {
        let Some(theirs) = self.0.get(&api.to_wire()) else {
            return Err(
                "the broker does not know this API: it is too old, or a proxy hides it".to_owned(),
            );
        };
        let newest_of_ours = max_version.map_or(ours.max, |limit| limit.min(ours.max));
        let version = theirs.max.min(newest_of_ours);
        if version >= theirs.min && version >= ours.min {
            return Ok(version);
        }
        let (verdict, advice) = if theirs.max < ours.min {
            ("too old", "a broker of a newer release is needed")
        } else if theirs.min > ours.max {
            ("too new", "a newer release of windlass is needed")
        } else {
            (
                "too new for what is asked",
                "the request cannot be expressed in that version",
            )
        };
        Err(format!(
            "the broker is {verdict}: it speaks versions {} to {}, this client {} to \
             {newest_of_ours}; {advice}",
            theirs.min, theirs.max, ours.min
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: VersionRange = VersionRange { min: 4, max: 18 };

    fn choose(theirs: (i16, i16), max_version: Option<i16>) -> Result<i16, String> {
        let theirs = VersionRange {
            min: theirs.0,
            max: theirs.1,
        };
        VersionTable::new([(ApiKey::Fetch.to_wire(), theirs)]).choose(
            ApiKey::Fetch,
            OURS,
            max_version,
        )
    }

    #[test]
    fn the_newest_version_all_agree_upon_is_chosen() {
        assert_eq!(choose((0, 11), None), Ok(11));
        assert_eq!(choose((4, 20), None), Ok(18));
        assert_eq!(choose((4, 20), Some(12)), Ok(12));
        assert_eq!(choose((4, 11), Some(12)), Ok(11));
    }

    #[test]
    fn no_common_version_tells_who_is_to_blame() {
        assert!(choose((0, 3), None).unwrap_err().contains("too old"));
        assert!(choose((19, 20), None).unwrap_err().contains("too new"));
        let error = choose((13, 18), Some(12)).unwrap_err();
        assert!(error.contains("too new for what is asked"), "{error}");
        assert!(error.contains("13 to 18"), "{error}");
        let nothing = VersionTable::default().choose(ApiKey::Fetch, OURS, None);
        assert!(nothing.unwrap_err().contains("does not know"));
    }
}
